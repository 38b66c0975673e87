#![allow(clippy::unwrap_used)]

use super::*;

/// Every set that this machine can run, besides the reference.
fn sets() -> Vec<(usize, Kernels)> {
    #[cfg(target_arch = "x86_64")]
    return x86::available().enumerate().collect();
    #[cfg(not(target_arch = "x86_64"))]
    Vec::new()
}

fn bytes(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(next).collect()
}

fn signed(seed: u32, length: usize) -> Vec<i8> {
    let bytes = bytes(seed, length).into_iter();
    bytes.map(|byte| byte as i8).collect()
}

const LENGTHS: [usize; 6] = [64, 128, 192, 384, 768, 1024];

#[test]
fn products_equal_the_portable_ones() {
    for (set, kernels) in sets() {
        for length in LENGTHS {
            let (a, b, query) = (bytes(1, length), bytes(2, length), signed(3, length));
            let (dot, pair) = ((PORTABLE.dot)(&a, &query), (PORTABLE.pair)(&a, &b));
            assert_eq!((kernels.dot)(&a, &query), dot, "{set} at {length}");
            assert_eq!((kernels.pair)(&a, &b), pair, "{set} at {length}");
        }
        for (a, b) in [(0, 0), (0, 255), (255, 0), (255, 255), (128, 7)] {
            let (a, b) = (vec![a; 1024], vec![b; 1024]);
            let query: Vec<i8> = b.iter().map(|&b| b as i8).collect();
            assert_eq!(
                (kernels.dot)(&a, &query),
                (PORTABLE.dot)(&a, &query),
                "{set}"
            );
            assert_eq!((kernels.pair)(&a, &b), (PORTABLE.pair)(&a, &b), "{set}");
        }
    }
}

#[test]
fn many_rows_score_as_single_ones() {
    for (set, kernels) in [(usize::MAX, PORTABLE)].into_iter().chain(sets()) {
        for length in LENGTHS {
            let (plane, query) = (bytes(4, 11 * length), signed(5, length));
            let single = |row: u32| (PORTABLE.dot)(row_of(&plane, row, length), &query);
            let numbers = [3u32, 0, 10, 7, 7, 1, 9, 2, 10];
            for count in 0..=numbers.len() {
                let rows = &numbers[..count];
                let expected: Vec<i32> = rows.iter().map(|&row| single(row)).collect();
                let mut sums = vec![-1; count];
                (kernels.gather)(&plane, rows, &query, &mut sums);
                assert_eq!(sums, expected, "{set} at {length}");
                let expected: Vec<i32> = (0..count as u32).map(single).collect();
                (kernels.sweep)(&plane[..count * length], &query, &mut sums);
                assert_eq!(sums, expected, "{set} at {length}");
            }
        }
    }
}

#[test]
fn exact_scores_are_the_same_to_the_last_bit() {
    for (set, kernels) in sets() {
        for dimension in [1, 3, 16, 32, 37, 100, 384, 1000] {
            let high = bytes(6, usize::next_multiple_of(dimension, 64));
            let low = signed(7, dimension);
            let query = signed(8, dimension).into_iter();
            let query: Vec<f32> = query.map(|x| f32::from(x) / 977.0).collect();
            let expected = (PORTABLE.exact)(&query, &high, &low);
            let found = (kernels.exact)(&query, &high, &low);
            assert_eq!(found.to_bits(), expected.to_bits(), "{set} at {dimension}");
        }
    }
}

#[test]
#[should_panic(expected = "range")]
fn a_row_beyond_the_plane_is_refused() {
    (best().gather)(&[0; 128], &[0, 0, 0, 2], &[0; 64], &mut [0; 4]);
}
