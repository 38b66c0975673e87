//! Kernels for processors with AVX2, and for those with AVX-512 and VNNI.

use std::arch::x86_64::*;

use super::portable::add_products;
use super::{Kernels, prefetch, row_of};
use crate::vector::quantise::BIAS;

/// What this machine can run, the fastest first.
pub fn available() -> impl Iterator<Item = Kernels> {
    let vnni = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vnni");
    let sets = [(vnni, VNNI), (is_x86_feature_detected!("avx2"), AVX2)];
    let sets = sets.into_iter();
    sets.filter_map(|(runs, kernels)| runs.then_some(kernels))
}

/// The kernels of a module, which may only be called where the module's features were detected.
macro_rules! set {
    ($module:ident { $($kernel:ident($($argument:ident),*))* }) => {
        Kernels {
            $($kernel: |$($argument),*| {
                // SAFETY: `available` hands this out only where the features were detected.
                unsafe { $module::$kernel($($argument),*) }
            }),*
        }
    };
}

const VNNI: Kernels = set!(vnni {
    dot(row, query)
    gather(plane, rows, query, sums)
    sweep(rows, query, sums)
    pair(a, b)
    exact(query, high, low)
});
const AVX2: Kernels = set!(avx2 {
    dot(row, query)
    gather(plane, rows, query, sums)
    sweep(rows, query, sums)
    pair(a, b)
    exact(query, high, low)
});

/// Rows are fetched before so many others are computed.
const AHEAD: usize = 8;

mod vnni {
    use super::*;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn load<T>(chunk: &[T; 64]) -> __m512i {
        const { assert!(size_of::<T>() == 1) };
        // SAFETY: the chunk has 64 bytes, and the load needs no alignment.
        unsafe { _mm512_loadu_si512(chunk.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub fn dot(row: &[u8], query: &[i8]) -> i32 {
        // Two sums, so that one multiply-add need not wait for the other.
        let mut sums = [_mm512_setzero_si512(); 2];
        let chunks = row.as_chunks().0.iter().zip(query.as_chunks().0);
        for (i, (r, q)) in chunks.enumerate() {
            sums[i & 1] = _mm512_dpbusd_epi32(sums[i & 1], load(r), load(q));
        }
        _mm512_reduce_add_epi32(_mm512_add_epi32(sums[0], sums[1]))
    }

    /// Two sums of 16 numbers as sums of 4: in each half of the result two of the first, then two of the second.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn quarter(a: __m512i, b: __m512i) -> __m256i {
        _mm256_hadd_epi32(half(a), half(b))
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    #[inline]
    fn half(sum: __m512i) -> __m256i {
        let high = _mm512_extracti64x4_epi64::<1>(sum);
        _mm256_add_epi32(_mm512_castsi512_si256(sum), high)
    }

    /// Four rows at once: their sums do not wait for each other, and are added up together.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    #[inline]
    fn four(rows: [&[u8]; 4], query: &[i8]) -> [i32; 4] {
        let mut sums = [_mm512_setzero_si512(); 4];
        let query = query.as_chunks().0;
        let [a, b, c, d] = rows;
        let (a, b) = (
            &a.as_chunks().0[..query.len()],
            &b.as_chunks().0[..query.len()],
        );
        let (c, d) = (
            &c.as_chunks().0[..query.len()],
            &d.as_chunks().0[..query.len()],
        );
        for (i, q) in query.iter().enumerate() {
            let q = load(q);
            sums[0] = _mm512_dpbusd_epi32(sums[0], load(&a[i]), q);
            sums[1] = _mm512_dpbusd_epi32(sums[1], load(&b[i]), q);
            sums[2] = _mm512_dpbusd_epi32(sums[2], load(&c[i]), q);
            sums[3] = _mm512_dpbusd_epi32(sums[3], load(&d[i]), q);
        }
        // In each half of a register two parts of every sum, and then one.
        let (a, b) = (quarter(sums[0], sums[1]), quarter(sums[2], sums[3]));
        let parts = _mm256_hadd_epi32(a, b);
        let high = _mm256_extracti128_si256::<1>(parts);
        let total = _mm_add_epi32(_mm256_castsi256_si128(parts), high);
        let mut result = [0; 4];
        // SAFETY: `result` has the 16 bytes that are stored.
        unsafe { _mm_storeu_si128(result.as_mut_ptr().cast(), total) };
        result
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub fn gather(plane: &[u8], rows: &[u32], query: &[i8], sums: &mut [i32]) {
        let stride = query.len();
        for &row in rows.iter().take(AHEAD) {
            prefetch(row_of(plane, row, stride));
        }
        let mut ahead = rows.iter().skip(AHEAD);
        let (fours, rest) = rows.as_chunks::<4>();
        let (sums, rest_sums) = sums.split_at_mut(4 * fours.len());
        for (rows, sums) in fours.iter().zip(sums.as_chunks_mut().0) {
            for &row in ahead.by_ref().take(4) {
                prefetch(row_of(plane, row, stride));
            }
            let [a, b, c, d] = *rows;
            let (a, b) = (row_of(plane, a, stride), row_of(plane, b, stride));
            let (c, d) = (row_of(plane, c, stride), row_of(plane, d, stride));
            *sums = four([a, b, c, d], query);
        }
        for (&row, sum) in rest.iter().zip(rest_sums) {
            *sum = dot(row_of(plane, row, stride), query);
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub fn sweep(rows: &[u8], query: &[i8], sums: &mut [i32]) {
        let stride = query.len();
        let mut fours = rows.chunks_exact(4 * stride);
        let (sums, rest) = sums.split_at_mut(4 * fours.len());
        for (rows, sums) in (&mut fours).zip(sums.as_chunks_mut().0) {
            // All at once, which the processor's own fetching ahead does not do: it gains a quarter. Those
            // further ahead gain nothing.
            prefetch(rows);
            let row = |place: usize| &rows[place * stride..][..stride];
            *sums = four([row(0), row(1), row(2), row(3)], query);
        }
        for (row, sum) in fours.remainder().chunks_exact(stride).zip(rest) {
            *sum = dot(row, query);
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub fn pair(a: &[u8], b: &[u8]) -> i32 {
        // Of two operands one must be unsigned: a keeps its bias.
        let bias = _mm512_set1_epi8(i8::MIN);
        let mut sums = [_mm512_setzero_si512(); 2];
        let chunks = a.as_chunks().0.iter().zip(b.as_chunks().0);
        for (i, (a, b)) in chunks.enumerate() {
            let b = _mm512_xor_si512(bias, load(b));
            sums[i & 1] = _mm512_dpbusd_epi32(sums[i & 1], load(a), b);
        }
        _mm512_reduce_add_epi32(_mm512_add_epi32(sums[0], sums[1]))
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub fn exact(query: &[f32], high: &[u8], low: &[i8]) -> f32 {
        let mut sums = _mm512_setzero_ps();
        let (queries, query) = query.as_chunks::<16>();
        let (highs, lows) = (high.as_chunks::<16>().0, low.as_chunks::<16>().0);
        let bias = _mm512_set1_epi32(BIAS << 8);
        for ((q, h), l) in queries.iter().zip(highs).zip(lows) {
            // SAFETY: the arrays have 16 numbers each, and the loads need no alignment.
            let (q, h, l) = unsafe {
                (
                    _mm512_loadu_ps(q.as_ptr()),
                    _mm_loadu_si128(h.as_ptr().cast()),
                    _mm_loadu_si128(l.as_ptr().cast()),
                )
            };
            let h = _mm512_sub_epi32(_mm512_slli_epi32::<8>(_mm512_cvtepu8_epi32(h)), bias);
            let code = _mm512_cvtepi32_ps(_mm512_add_epi32(h, _mm512_cvtepi8_epi32(l)));
            // No fused multiply-add: it rounds otherwise than other machines.
            sums = _mm512_add_ps(sums, _mm512_mul_ps(q, code));
        }
        let mut lanes = [0f32; 16];
        // SAFETY: `lanes` has the 64 bytes that are stored.
        unsafe { _mm512_storeu_ps(lanes.as_mut_ptr(), sums) };
        let at = 16 * queries.len();
        add_products(&mut lanes, query, &high[at..], &low[at..]);
        lanes.iter().sum()
    }
}

mod avx2 {
    use super::*;

    /// 16 bytes as 16 numbers of 16 bits, by one of the two ways to widen.
    macro_rules! wide {
        ($widen:ident, $chunk:expr) => {
            // SAFETY: the chunk has 16 bytes, and the load needs no alignment.
            $widen(unsafe { _mm_loadu_si128($chunk.as_ptr().cast()) })
        };
    }

    #[target_feature(enable = "avx2")]
    fn total(sums: [__m256i; 2]) -> i32 {
        let mut lanes = [0i32; 8];
        let sum = _mm256_add_epi32(sums[0], sums[1]);
        // SAFETY: `lanes` has the 32 bytes that are stored.
        unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sum) };
        lanes.iter().sum()
    }

    #[target_feature(enable = "avx2")]
    pub fn dot(row: &[u8], query: &[i8]) -> i32 {
        // Widened to 16 bits first: the byte instruction (maddubs) saturates.
        let mut sums = [_mm256_setzero_si256(); 2];
        let chunks = row
            .as_chunks::<16>()
            .0
            .iter()
            .zip(query.as_chunks::<16>().0);
        for (i, (r, q)) in chunks.enumerate() {
            let (r, q) = (
                wide!(_mm256_cvtepu8_epi16, r),
                wide!(_mm256_cvtepi8_epi16, q),
            );
            sums[i & 1] = _mm256_add_epi32(sums[i & 1], _mm256_madd_epi16(r, q));
        }
        total(sums)
    }

    #[target_feature(enable = "avx2")]
    pub fn gather(plane: &[u8], rows: &[u32], query: &[i8], sums: &mut [i32]) {
        for (&row, sum) in rows.iter().zip(sums) {
            *sum = dot(row_of(plane, row, query.len()), query);
        }
    }

    #[target_feature(enable = "avx2")]
    pub fn sweep(rows: &[u8], query: &[i8], sums: &mut [i32]) {
        for (row, sum) in rows.chunks_exact(query.len()).zip(sums) {
            *sum = dot(row, query);
        }
    }

    #[target_feature(enable = "avx2")]
    pub fn pair(a: &[u8], b: &[u8]) -> i32 {
        let bias = _mm256_set1_epi16(BIAS as i16);
        let mut sums = [_mm256_setzero_si256(); 2];
        let chunks = a.as_chunks::<16>().0.iter().zip(b.as_chunks::<16>().0);
        for (i, (a, b)) in chunks.enumerate() {
            let (a, b) = (
                wide!(_mm256_cvtepu8_epi16, a),
                wide!(_mm256_cvtepu8_epi16, b),
            );
            let product = _mm256_madd_epi16(a, _mm256_sub_epi16(b, bias));
            sums[i & 1] = _mm256_add_epi32(sums[i & 1], product);
        }
        total(sums)
    }

    #[target_feature(enable = "avx2")]
    pub fn exact(query: &[f32], high: &[u8], low: &[i8]) -> f32 {
        let mut sums = [_mm256_setzero_ps(); 2];
        let (queries, query) = query.as_chunks::<16>();
        let (highs, lows) = (high.as_chunks::<16>().0, low.as_chunks::<16>().0);
        let bias = _mm256_set1_epi32(BIAS << 8);
        for ((q, h), l) in queries.iter().zip(highs).zip(lows) {
            for (half, sum) in sums.iter_mut().enumerate() {
                // SAFETY: the arrays have 16 numbers each, of which each half reads 8; the loads need no
                // alignment.
                let (q, h, l) = unsafe {
                    (
                        _mm256_loadu_ps(q.as_ptr().add(8 * half)),
                        _mm_loadl_epi64(h.as_ptr().add(8 * half).cast()),
                        _mm_loadl_epi64(l.as_ptr().add(8 * half).cast()),
                    )
                };
                let h = _mm256_slli_epi32::<8>(_mm256_cvtepu8_epi32(h));
                let code = _mm256_add_epi32(_mm256_sub_epi32(h, bias), _mm256_cvtepi8_epi32(l));
                // No fused multiply-add: it rounds otherwise than other machines.
                *sum = _mm256_add_ps(*sum, _mm256_mul_ps(q, _mm256_cvtepi32_ps(code)));
            }
        }
        let mut lanes = [0f32; 16];
        for (lanes, sum) in lanes.as_chunks_mut::<8>().0.iter_mut().zip(sums) {
            // SAFETY: `lanes` has the 32 bytes that are stored.
            unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), sum) };
        }
        let at = 16 * queries.len();
        add_products(&mut lanes, query, &high[at..], &low[at..]);
        lanes.iter().sum()
    }
}
