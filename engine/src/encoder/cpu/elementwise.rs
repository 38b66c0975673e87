//! What happens to numbers one by one or row by row: activations, softmax, layer norm.
//!
//! Written without branches and without calls, so that the compiler makes vector instructions of it; the
//! same code is compiled for the instruction sets of several generations of processors.

use super::super::activation::Activation;
use super::codes::{Encode, Range};

/// Functions compiled for one instruction set.
#[derive(Clone, Copy)]
pub struct Elementwise {
    /// Applies an activation to every number; see [`is_computed`].
    pub activate: fn(Activation, &mut [f32]),
    /// eˣ of every number less the largest; the result is what makes shares of them, one divided by their sum.
    pub powers: fn(&mut [f32]) -> f32,
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

/// 1.5 · 2²³: adding it rounds a number to a whole one, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;

/// eˣ to 2 units in the last place, 0 below −87 (Cody and Waite 1980, with Cephes's polynomial).
#[inline(always)]
fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = x - whole * 0.693_359_4 + whole * 2.121_944_4e-4;
    let mut power = 1.987_569_1e-4;
    for factor in [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ] {
        power = power * rest + factor;
    }
    let value = power * rest * rest + rest + 1.0;
    let scale = (shifted
        .to_bits()
        .wrapping_sub(ROUND.to_bits())
        .wrapping_add(127))
        << 23;
    value * f32::from_bits(scale)
}

/// The error function to 1.5·10⁻⁷ (Abramowitz and Stegun 1964, 7.1.26).
#[inline(always)]
fn erf(x: f32) -> f32 {
    let size = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * size);
    let mut sum = 1.061_405_4;
    for factor in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        sum = sum * t + factor;
    }
    (1.0 - sum * t * exp(-size * size)).copysign(x)
}

/// The hyperbolic tangent, by e²ˣ.
#[inline(always)]
fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

#[inline(always)]
fn activate(activation: Activation, numbers: &mut [f32]) {
    match activation {
        Activation::Gelu => {
            for x in numbers {
                *x *= 0.5 + 0.5 * erf(*x * std::f32::consts::FRAC_1_SQRT_2);
            }
        }
        Activation::GeluTanh => {
            for x in numbers {
                let inner = 0.797_884_6 * (*x + 0.044_715 * *x * *x * *x);
                *x *= 0.5 + 0.5 * tanh(inner);
            }
        }
        Activation::GeluSigmoid => {
            for x in numbers {
                *x /= 1.0 + exp(-1.702 * *x);
            }
        }
        Activation::Silu => {
            for x in numbers {
                *x /= 1.0 + exp(-*x);
            }
        }
        Activation::Relu => {
            for x in numbers {
                *x = x.max(0.0);
            }
        }
        _ => debug_assert!(false, "asked before"),
    }
}

/// Whether an activation is among those written here: the others are rare.
pub fn is_computed(activation: Activation) -> bool {
    use Activation::*;
    matches!(activation, Gelu | GeluTanh | GeluSigmoid | Silu | Relu)
}

/// `join` of `take` of every number. Sixteen partial results, as a vector register has them: a single one
/// could not be computed in parallel.
#[inline(always)]
fn folded(
    numbers: &[f32],
    start: f32,
    take: impl Fn(f32) -> f32,
    join: impl Fn(f32, f32) -> f32,
) -> f32 {
    let (chunks, rest) = numbers.as_chunks::<16>();
    let mut lanes = [start; 16];
    for chunk in chunks {
        for (lane, number) in lanes.iter_mut().zip(chunk) {
            *lane = join(*lane, take(*number));
        }
    }
    let rest = rest.iter().map(|number| take(*number));
    lanes.into_iter().chain(rest).fold(start, join)
}

#[inline(always)]
fn sum(numbers: &[f32], take: impl Fn(f32) -> f32) -> f32 {
    folded(numbers, 0.0, take, |a, b| a + b)
}

/// Not `f32::max`, which takes three instructions.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

#[inline(always)]
fn powers(numbers: &mut [f32]) -> f32 {
    let most = folded(numbers, f32::NEG_INFINITY, |x| x, larger);
    for x in numbers.iter_mut() {
        *x = exp(*x - most);
    }
    1.0 / sum(numbers, |x| x)
}

#[inline(always)]
fn add_and_normalise(row: &mut [f32], with: AddAndNormalise<'_>) {
    for (x, residual) in row.iter_mut().zip(with.residual) {
        *x += residual;
    }
    let count = row.len() as f32;
    let mean = sum(row, |x| x) / count;
    for x in row.iter_mut() {
        *x -= mean;
    }
    let variance = sum(row, |x| x * x) / count;
    let scale = 1.0 / (variance + with.epsilon).sqrt();
    for ((x, weight), shift) in row.iter_mut().zip(with.weight).zip(with.shift) {
        *x = *x * scale * weight + shift;
    }
}

#[inline(always)]
fn encode(numbers: &[f32], codes: &mut [u8]) -> Range {
    // Not `f32::min`, which takes three instructions.
    let smaller = |a, b| if b < a { b } else { a };
    let least = folded(numbers, f32::INFINITY, |x| x, smaller);
    let most = folded(numbers, f32::NEG_INFINITY, |x| x, larger);
    let scale = (most - least) / 255.0;
    // Equal numbers have no range. Infinite ones, and those that are none, which the comparisons above pass over, must
    // not become numbers.
    let known = sum(numbers, |x| x).is_finite();
    let least = if known { least } else { f32::NAN };
    let ranged = known && scale > f32::MIN_POSITIVE;
    let inverse = if ranged { 1.0 / scale } else { 0.0 };
    for (code, x) in codes.iter_mut().zip(numbers) {
        *code = ((x - least) * inverse + ROUND).to_bits() as u8;
    }
    Range {
        scale: if ranged { scale } else { f32::MIN_POSITIVE },
        least,
    }
}

/// The functions above, compiled for one instruction set.
macro_rules! compiled_for {
    ($name:ident $(, $features:literal)?) => {
        pub mod $name {
            use super::{Activation, AddAndNormalise, Elementwise, Range};

            $(#[target_feature(enable = $features)])?
            fn activate(activation: Activation, numbers: &mut [f32]) {
                super::activate(activation, numbers);
            }

            $(#[target_feature(enable = $features)])?
            fn powers(numbers: &mut [f32]) -> f32 {
                super::powers(numbers)
            }

            $(#[target_feature(enable = $features)])?
            fn add_and_normalise(row: &mut [f32], with: AddAndNormalise<'_>) {
                super::add_and_normalise(row, with);
            }

            $(#[target_feature(enable = $features)])?
            fn encode(numbers: &[f32], codes: &mut [u8]) -> Range {
                super::encode(numbers, codes)
            }

            pub const FUNCTIONS: Elementwise = Elementwise {
                // SAFETY: only handed out where the processor has these instructions.
                activate: |activation, numbers| unsafe { activate(activation, numbers) },
                // SAFETY: as above.
                powers: |numbers| unsafe { powers(numbers) },
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
        powers,
    };

    compiled_for!(portable);
    #[cfg(target_arch = "x86_64")]
    compiled_for!(avx2, "avx2,fma");
    #[cfg(target_arch = "x86_64")]
    compiled_for!(avx512, "avx512f,avx512vl,avx512bw,avx512dq");
}

impl Elementwise {
    /// The quickest on this machine.
    pub fn best() -> Elementwise {
        #[cfg(target_arch = "x86_64")]
        {
            let newest = is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq");
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
    use super::*;

    #[test]
    fn exp_is_right_to_a_millionth() {
        for step in -8_700..8_800 {
            let x = step as f32 / 100.0;
            let expected = f64::from(x).exp();
            let error = (f64::from(exp(x)) / expected - 1.0).abs();
            assert!(error < 1e-6, "{x}: {error}");
        }
        assert!(exp(-1e9) < 1e-37 && exp(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn activations_are_right_to_a_millionth() {
        // By the series of the error function in double precision.
        let erf = |x: f64| {
            let (mut term, mut sum) = (x, x);
            for n in 1..200 {
                term *= -x * x / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            sum * std::f64::consts::FRAC_2_SQRT_PI
        };
        for step in -300..300 {
            let x = f64::from(step) / 100.0;
            let mut found = [x as f32];
            (Elementwise::best().activate)(Activation::Gelu, &mut found);
            let expected = 0.5 * x * (1.0 + erf(x / 2f64.sqrt()));
            assert!((f64::from(found[0]) - expected).abs() < 1e-6, "{x}");
            let mut found = [x as f32];
            (Elementwise::best().activate)(Activation::GeluTanh, &mut found);
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
            let expected = 0.5 * x * (1.0 + inner.tanh());
            assert!((f64::from(found[0]) - expected).abs() < 1e-6, "{x}");
        }
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
            let mut shares = numbers.clone();
            let share = (functions.powers)(&mut shares);
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
            let Range { scale, least } = encode(&[number; 20], &mut codes);
            assert!(
                codes
                    .iter()
                    .all(|code| f32::from(*code) * scale + least == number)
            );
        }
        for number in [f32::NAN, f32::INFINITY] {
            let Range { least, .. } = encode(&[number; 20], &mut codes);
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
                let Range { least, .. } = encode(&numbers, &mut [0; 20]);
                assert!(least.is_nan(), "{strange} at {at}");
            }
        }
    }
}
