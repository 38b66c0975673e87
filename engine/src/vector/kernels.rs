//! Dot products of biased rows with an int8 query or with each other, at the machine's speed.
//!
//! Every kernel computes the same integers; the portable one is the reference.

use super::quantise::BIAS;

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

/// Σ (a\[i\] − 128) · (b\[i\] − 128); both of one length, a multiple of 64.
pub type RowDot = fn(&[u8], &[u8]) -> i32;

/// The fastest kernel of this machine for two rows.
pub fn row_dot() -> RowDot {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni")
        {
            return x86::rows_vnni_dispatched;
        }
        if is_x86_feature_detected!("avx2") {
            return x86::rows_avx2_dispatched;
        }
    }
    portable_rows
}

/// The reference for two rows.
pub fn portable_rows(a: &[u8], b: &[u8]) -> i32 {
    let pairs = a.iter().zip(b);
    pairs
        .map(|(&a, &b)| (i32::from(a) - BIAS) * (i32::from(b) - BIAS))
        .sum()
}

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

    pub fn rows_vnni_dispatched(a: &[u8], b: &[u8]) -> i32 {
        // SAFETY: `super::row_dot` hands this out only where the features were detected.
        unsafe { rows_vnni(a, b) }
    }

    pub fn rows_avx2_dispatched(a: &[u8], b: &[u8]) -> i32 {
        // SAFETY: `super::row_dot` hands this out only where the feature was detected.
        unsafe { rows_avx2(a, b) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn rows_vnni(a: &[u8], b: &[u8]) -> i32 {
        // One operand must be unsigned, so a keeps its bias, and 128 · Σ b is taken off again.
        let bias = _mm512_set1_epi8(i8::MIN);
        let (mut sum, mut excess) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        for (a, b) in a.chunks_exact(64).zip(b.chunks_exact(64)) {
            // SAFETY: both chunks are 64 bytes long; unaligned loads are used.
            let (a, b) = unsafe {
                (
                    _mm512_loadu_si512(a.as_ptr().cast()),
                    _mm512_loadu_si512(b.as_ptr().cast()),
                )
            };
            let b = _mm512_xor_si512(bias, b);
            sum = _mm512_dpbusd_epi32(sum, a, b);
            excess = _mm512_dpbusd_epi32(excess, bias, b);
        }
        _mm512_reduce_add_epi32(_mm512_sub_epi32(sum, excess))
    }

    #[target_feature(enable = "avx2")]
    fn rows_avx2(a: &[u8], b: &[u8]) -> i32 {
        let bias = _mm256_set1_epi16(128);
        let mut sum = _mm256_setzero_si256();
        for (a, b) in a.chunks_exact(16).zip(b.chunks_exact(16)) {
            // SAFETY: both chunks are 16 bytes long; unaligned loads are used.
            let (a, b) = unsafe {
                (
                    _mm_loadu_si128(a.as_ptr().cast()),
                    _mm_loadu_si128(b.as_ptr().cast()),
                )
            };
            let a = _mm256_sub_epi16(_mm256_cvtepu8_epi16(a), bias);
            let b = _mm256_sub_epi16(_mm256_cvtepu8_epi16(b), bias);
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
        }
        let mut lanes = [0i32; 8];
        // SAFETY: `lanes` holds the 32 bytes that are stored.
        unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sum) };
        lanes.iter().sum()
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

        fn check_rows(name: &str, dot: crate::vector::kernels::RowDot) {
            let mut state = 54321u32;
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            };
            for length in [64, 128, 192, 384, 1024] {
                let a: Vec<u8> = (0..length).map(|_| next()).collect();
                let b: Vec<u8> = (0..length).map(|_| next()).collect();
                let expected = crate::vector::kernels::portable_rows(&a, &b);
                assert_eq!(dot(&a, &b), expected, "{name} at {length}");
            }
            for (a, b) in [(0, 0), (0, 255), (255, 0), (255, 255), (128, 7)] {
                let (a, b) = (vec![a; 1024], vec![b; 1024]);
                let expected = crate::vector::kernels::portable_rows(&a, &b);
                assert_eq!(dot(&a, &b), expected, "{name} at the extreme");
            }
        }

        #[test]
        fn row_kernels_equal_the_portable_one() {
            if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vnni") {
                check_rows("vnni", rows_vnni_dispatched);
            }
            if is_x86_feature_detected!("avx2") {
                check_rows("avx2", rows_avx2_dispatched);
            }
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
