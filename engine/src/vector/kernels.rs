//! Dot products of a biased row with an int8 query, at the machine's speed.
//!
//! Every kernel computes the same integers; the portable one is the reference.

/// Σ row\[i\] · query\[i\]; both of one length, a multiple of 64.
pub type Dot = fn(&[u8], &[i8]) -> i32;

/// The fastest kernel of this machine.
pub fn dot() -> Dot {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni")
        {
            return x86::vnni_dispatched;
        }
        if is_x86_feature_detected!("avx2") {
            return x86::avx2_dispatched;
        }
    }
    portable
}

/// The reference.
pub fn portable(row: &[u8], query: &[i8]) -> i32 {
    row.iter()
        .zip(query)
        .map(|(&r, &q)| i32::from(r) * i32::from(q))
        .sum()
}

#[allow(dead_code)]
/// Asks the processor to fetch a row that will be read soon. It changes nothing but speed.
#[inline(always)]
pub fn prefetch(row: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    for line in row.chunks(64) {
        // SAFETY: a prefetch is a hint; the address is that of a live slice.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch(line.as_ptr().cast(), _MM_HINT_T0);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    pub fn vnni_dispatched(row: &[u8], query: &[i8]) -> i32 {
        // SAFETY: `super::dot` hands this out only where the features were detected.
        unsafe { vnni(row, query) }
    }

    pub fn avx2_dispatched(row: &[u8], query: &[i8]) -> i32 {
        // SAFETY: `super::dot` hands this out only where the feature was detected.
        unsafe { avx2(row, query) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn vnni(row: &[u8], query: &[i8]) -> i32 {
        // Two sums, so that one multiply-add need not wait for the other.
        let mut sums = [_mm512_setzero_si512(); 2];
        for (i, (r, q)) in row.chunks_exact(64).zip(query.chunks_exact(64)).enumerate() {
            // SAFETY: both chunks are 64 bytes long; unaligned loads are used.
            let (r, q) = unsafe {
                (
                    _mm512_loadu_si512(r.as_ptr().cast()),
                    _mm512_loadu_si512(q.as_ptr().cast()),
                )
            };
            sums[i & 1] = _mm512_dpbusd_epi32(sums[i & 1], r, q);
        }
        _mm512_reduce_add_epi32(_mm512_add_epi32(sums[0], sums[1]))
    }

    #[target_feature(enable = "avx2")]
    fn avx2(row: &[u8], query: &[i8]) -> i32 {
        // Widened to 16 bits first: the byte instruction (maddubs) saturates.
        let mut sums = [_mm256_setzero_si256(); 2];
        for (i, (r, q)) in row.chunks_exact(16).zip(query.chunks_exact(16)).enumerate() {
            // SAFETY: both chunks are 16 bytes long; unaligned loads are used.
            let (r, q) = unsafe {
                (
                    _mm_loadu_si128(r.as_ptr().cast()),
                    _mm_loadu_si128(q.as_ptr().cast()),
                )
            };
            let product = _mm256_madd_epi16(_mm256_cvtepu8_epi16(r), _mm256_cvtepi8_epi16(q));
            sums[i & 1] = _mm256_add_epi32(sums[i & 1], product);
        }
        let sum = _mm256_add_epi32(sums[0], sums[1]);
        let mut lanes = [0i32; 8];
        // SAFETY: `lanes` holds the 32 bytes that are stored.
        unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sum) };
        lanes.iter().sum()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn check(name: &str, dot: crate::vector::kernels::Dot) {
            let mut state = 12345u32;
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state >> 24
            };
            for length in [64, 128, 192, 384, 768, 1024] {
                let row: Vec<u8> = (0..length).map(|_| next() as u8).collect();
                let query: Vec<i8> = (0..length).map(|_| next() as u8 as i8).collect();
                let expected = crate::vector::kernels::portable(&row, &query);
                assert_eq!(dot(&row, &query), expected, "{name} at {length}");
            }
            let (row, query) = (vec![255u8; 1024], vec![-128i8; 1024]);
            let expected = crate::vector::kernels::portable(&row, &query);
            assert_eq!(dot(&row, &query), expected, "{name} at the extreme");
        }

        #[test]
        fn kernels_equal_the_portable_one() {
            if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vnni") {
                check("vnni", vnni_dispatched);
            }
            if is_x86_feature_detected!("avx2") {
                check("avx2", avx2_dispatched);
            }
        }
    }
}
