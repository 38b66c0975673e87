//! What happens to numbers one by one or row by row: activations, softmax, layer norm.
//!
//! The same code is compiled for the instruction sets of several generations of processors.

use super::super::activation::Activation;
use super::codes::{Encode, Range};
use super::functions::{
    ROUND, erf, exp, exp_of_small, folded, fused, joined, larger, rough_exp_of_small, rough_normal,
    smaller, sum, tanh,
};

/// Functions compiled for one instruction set.
#[derive(Clone, Copy)]
pub struct Elementwise {
    /// Applies an activation to every number; see [`is_computed`].
    pub activate: fn(Activation, &mut [f32]),
    /// The same to some 10⁻⁴, for what is rounded to bytes afterwards.
    pub rough_activate: fn(Activation, &mut [f32]),
    /// Writes eˣ of every number less the largest; the result is what makes shares of them, one divided by their sum.
    pub powers: fn(&[f32], &mut [f32]) -> f32,
    /// The same, with the powers written as bfloat16.
    pub half_powers: fn(&[f32], &mut [u16]) -> f32,
    /// Writes numbers times a scale as bfloat16.
    pub halve: fn(&[f32], f32, &mut [u16]),
    /// Adds the residual to a row and normalises it: mean 0, variance 1, then weight and bias.
    pub add_and_normalise: fn(&mut [f32], AddAndNormalise<'_>),
    /// Writes a group of numbers as codes.
    pub encode: Encode,
}

/// What a layer norm adds before and after.
#[derive(Clone, Copy)]
pub struct AddAndNormalise<'a> {
    /// What goes round that layer.
    pub residual: &'a [f32],
    pub weight: &'a [f32],
    pub shift: &'a [f32],
    pub epsilon: f32,
}

#[inline(always)]
fn activate<const FUSED: bool>(activation: Activation, numbers: &mut [f32]) {
    match activation {
        Activation::Gelu => {
            for x in numbers {
                let half = 0.5 * *x;
                let share = erf::<FUSED>(*x * std::f32::consts::FRAC_1_SQRT_2);
                *x = fused::<FUSED>(half, share, half);
            }
        }
        Activation::GeluTanh => {
            for x in numbers {
                let inner = 0.797_884_6 * (*x + 0.044_715 * *x * *x * *x);
                *x *= 0.5 + 0.5 * tanh::<FUSED>(inner);
            }
        }
        Activation::GeluSigmoid => {
            for x in numbers {
                *x /= 1.0 + exp::<FUSED>(-1.702 * *x);
            }
        }
        Activation::Silu => {
            for x in numbers {
                *x /= 1.0 + exp::<FUSED>(-*x);
            }
        }
        Activation::Relu => {
            for x in numbers {
                *x = larger(*x, 0.0);
            }
        }
        _ => debug_assert!(false, "asked before"),
    }
}

#[inline(always)]
fn rough_activate<const FUSED: bool>(activation: Activation, numbers: &mut [f32]) {
    match activation {
        Activation::Gelu => {
            for x in numbers {
                *x *= rough_normal::<FUSED>(*x);
            }
        }
        _ => activate::<FUSED>(activation, numbers),
    }
}

/// Whether an activation is among those written here: the others are rare.
pub fn is_computed(activation: Activation) -> bool {
    use Activation::*;
    matches!(activation, Gelu | GeluTanh | GeluSigmoid | Silu | Relu)
}

/// `power` of every number less the largest, as `write` gives it.
#[inline(always)]
fn powers<T>(
    numbers: &[f32],
    powers: &mut [T],
    power: impl Fn(f32) -> f32,
    write: impl Fn(f32) -> T,
) -> f32 {
    let most = folded(numbers, f32::NEG_INFINITY, |x| x, larger);
    let mut sums = [0.0; 16];
    let (chunks, rest) = numbers.as_chunks::<16>();
    let (written, rest_written) = powers.as_chunks_mut::<16>();
    for (chunk, written) in chunks.iter().zip(written) {
        for ((x, place), sum) in chunk.iter().zip(written).zip(&mut sums) {
            let power = power(*x - most);
            *place = write(power);
            *sum += power;
        }
    }
    let mut sum = joined(sums, |a, b| a + b);
    for (x, place) in rest.iter().zip(rest_written) {
        let power = power(*x - most);
        *place = write(power);
        sum += power;
    }
    1.0 / sum
}

/// The upper 16 bits, rounded: bfloat16.
#[inline(always)]
fn rounded(x: f32) -> u16 {
    (x.to_bits().wrapping_add(1 << 15) >> 16) as u16
}

#[inline(always)]
fn halve(numbers: &[f32], scale: f32, halves: &mut [u16]) {
    for (half, x) in halves.iter_mut().zip(numbers) {
        *half = rounded(x * scale);
    }
}

#[inline(always)]
fn add_and_normalise(row: &mut [f32], with: AddAndNormalise<'_>) {
    let (chunks, rest) = row.as_chunks_mut::<16>();
    let (residuals, rest_residuals) = with.residual.as_chunks::<16>();
    let mut sums = [0.0; 16];
    for (chunk, residual) in chunks.iter_mut().zip(residuals) {
        for ((x, residual), sum) in chunk.iter_mut().zip(residual).zip(&mut sums) {
            *x += residual;
            *sum += *x;
        }
    }
    for (x, residual) in rest.iter_mut().zip(rest_residuals) {
        *x += residual;
        sums[0] += *x;
    }
    let count = row.len() as f32;
    let mean = joined(sums, |a, b| a + b) / count;
    let variance = sum(row, |x| (x - mean) * (x - mean)) / count;
    let scale = 1.0 / (variance + with.epsilon).sqrt();
    for ((x, weight), shift) in row.iter_mut().zip(with.weight).zip(with.shift) {
        *x = (*x - mean) * scale * weight + shift;
    }
}

#[inline(always)]
fn encode<const FUSED: bool>(numbers: &[f32], codes: &mut [u8]) -> Range {
    let least = folded(numbers, f32::INFINITY, |x| x, smaller);
    let most = folded(numbers, f32::NEG_INFINITY, |x| x, larger);
    let scale = (most - least) / 255.0;
    // Equal numbers have no range. Infinite ones, and those that are none, which the comparisons above pass over, must
    // not become numbers.
    let size = |x: &f32| x.to_bits() & i32::MAX as u32;
    let largest = numbers.iter().map(size).fold(0, u32::max);
    let known = largest < f32::INFINITY.to_bits();
    let least = if known { least } else { f32::NAN };
    let ranged = known && scale > f32::MIN_POSITIVE;
    let inverse = if ranged { 1.0 / scale } else { 0.0 };
    for (code, x) in codes.iter_mut().zip(numbers) {
        *code = fused::<FUSED>(x - least, inverse, ROUND).to_bits() as u8;
    }
    Range {
        scale: if ranged { scale } else { f32::MIN_POSITIVE },
        least,
    }
}

/// The functions above, compiled for one instruction set; whether it adds a product in one instruction.
macro_rules! compiled_for {
    ($name:ident, $fused:literal $(, $features:literal)?) => {
        pub mod $name {
            use super::{Activation, AddAndNormalise, Elementwise, Range};

            $(#[target_feature(enable = $features)])?
            fn activate(activation: Activation, numbers: &mut [f32]) {
                super::activate::<$fused>(activation, numbers);
            }

            $(#[target_feature(enable = $features)])?
            fn rough_activate(activation: Activation, numbers: &mut [f32]) {
                super::rough_activate::<$fused>(activation, numbers);
            }

            $(#[target_feature(enable = $features)])?
            fn powers(numbers: &[f32], powers: &mut [f32]) -> f32 {
                super::powers(numbers, powers, super::exp_of_small::<$fused>, |power| power)
            }

            $(#[target_feature(enable = $features)])?
            fn half_powers(numbers: &[f32], powers: &mut [u16]) -> f32 {
                super::powers(numbers, powers, super::rough_exp_of_small::<$fused>, super::rounded)
            }

            $(#[target_feature(enable = $features)])?
            fn halve(numbers: &[f32], scale: f32, halves: &mut [u16]) {
                super::halve(numbers, scale, halves);
            }

            $(#[target_feature(enable = $features)])?
            fn add_and_normalise(row: &mut [f32], with: AddAndNormalise<'_>) {
                super::add_and_normalise(row, with);
            }

            $(#[target_feature(enable = $features)])?
            fn encode(numbers: &[f32], codes: &mut [u8]) -> Range {
                super::encode::<$fused>(numbers, codes)
            }

            pub const FUNCTIONS: Elementwise = Elementwise {
                // SAFETY: only handed out where the processor has these instructions.
                activate: |activation, numbers| unsafe { activate(activation, numbers) },
                // SAFETY: as above.
                rough_activate: |activation, numbers| unsafe { rough_activate(activation, numbers) },
                // SAFETY: as above.
                powers: |numbers, written| unsafe { powers(numbers, written) },
                // SAFETY: as above.
                half_powers: |numbers, written| unsafe { half_powers(numbers, written) },
                // SAFETY: as above.
                halve: |numbers, scale, halves| unsafe { halve(numbers, scale, halves) },
                // SAFETY: as above.
                add_and_normalise: |row, with| unsafe { add_and_normalise(row, with) },
                // SAFETY: as above.
                encode: |numbers, codes| unsafe { encode(numbers, codes) },
            };
        }
    };
}

#[allow(unused_unsafe)]
mod sets {
    use super::{
        Activation, AddAndNormalise, Elementwise, Range, activate, add_and_normalise, encode,
        exp_of_small, halve, powers, rough_activate, rough_exp_of_small, rounded,
    };

    compiled_for!(portable, false);
    #[cfg(target_arch = "x86_64")]
    compiled_for!(avx2, true, "avx2,fma");
    #[cfg(target_arch = "x86_64")]
    compiled_for!(avx512, true, "avx512f,avx512vl,avx512bw,avx512dq,fma");
}

impl Elementwise {
    /// The quickest on this machine.
    pub fn best() -> Elementwise {
        #[cfg(target_arch = "x86_64")]
        {
            let newest = is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("fma");
            if is_x86_feature_detected!("avx512f") && newest {
                return sets::avx512::FUNCTIONS;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return sets::avx2::FUNCTIONS;
            }
        }
        sets::portable::FUNCTIONS
    }
}

#[cfg(test)]
mod tests {
    use super::super::functions::erf_by_series;
    use super::*;

    #[test]
    fn activations_are_right_to_a_millionth() {
        for step in -300..300 {
            let x = f64::from(step) / 100.0;
            let mut found = [x as f32];
            (Elementwise::best().activate)(Activation::Gelu, &mut found);
            let expected = 0.5 * x * (1.0 + erf_by_series(x / 2f64.sqrt()));
            assert!((f64::from(found[0]) - expected).abs() < 1e-6, "{x}");
            let mut found = [x as f32];
            (Elementwise::best().activate)(Activation::GeluTanh, &mut found);
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
            let expected = 0.5 * x * (1.0 + inner.tanh());
            assert!((f64::from(found[0]) - expected).abs() < 1e-6, "{x}");
        }
    }

    #[test]
    fn rough_activations_are_right_to_two_ten_thousandths() {
        for step in -12_000..12_000 {
            let x = step as f32 / 1_000.0;
            let (mut rough, mut found) = ([x], [x]);
            (Elementwise::best().rough_activate)(Activation::Gelu, &mut rough);
            (Elementwise::best().activate)(Activation::Gelu, &mut found);
            assert!((rough[0] - found[0]).abs() < 2e-4, "{x}: {}", rough[0]);
        }
        let mut strange = [f32::NAN, f32::INFINITY];
        (Elementwise::best().rough_activate)(Activation::Gelu, &mut strange);
        assert!(strange[0].is_nan() && strange[1] == f32::INFINITY);
    }

    #[test]
    fn every_instruction_set_computes_the_same() {
        let numbers: Vec<f32> = (0..77)
            .map(|i| ((i * 37) % 41) as f32 / 8.0 - 2.5)
            .collect();
        let run = |functions: Elementwise| {
            let mut normalised = numbers.clone();
            let with = AddAndNormalise {
                residual: &numbers,
                weight: &numbers,
                shift: &numbers,
                epsilon: 1e-12,
            };
            (functions.add_and_normalise)(&mut normalised, with);
            let mut shares = vec![0.0; numbers.len()];
            let share = (functions.powers)(&numbers, &mut shares);
            shares.iter_mut().for_each(|x| *x *= share);
            let mut active = numbers.clone();
            (functions.activate)(Activation::Gelu, &mut active);
            [normalised, shares, active].concat()
        };
        let (reference, best) = (run(sets::portable::FUNCTIONS), run(Elementwise::best()));
        assert!((reference[77..154].iter().sum::<f32>() - 1.0).abs() < 1e-5);
        for (a, b) in reference.iter().zip(best) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }

    #[test]
    fn equal_numbers_are_kept_and_what_is_no_number_stays_none() {
        let mut codes = [1; 20];
        for number in [0.0, 3.5, -1e30] {
            let Range { scale, least } = encode::<false>(&[number; 20], &mut codes);
            assert!(
                codes
                    .iter()
                    .all(|code| f32::from(*code) * scale + least == number)
            );
        }
        for number in [f32::NAN, f32::INFINITY] {
            let Range { least, .. } = encode::<false>(&[number; 20], &mut codes);
            assert!(!least.is_finite());
        }
    }

    /// One infinite number among others became the least of them, and one that is none any.
    #[test]
    fn codes_do_not_hide_what_is_no_number() {
        for strange in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in [0, 1, 15, 16, 19] {
                let mut numbers: [f32; 20] = std::array::from_fn(|i| i as f32 - 4.0);
                numbers[at] = strange;
                let Range { least, .. } = encode::<true>(&numbers, &mut [0; 20]);
                assert!(least.is_nan(), "{strange} at {at}");
            }
        }
    }
}
