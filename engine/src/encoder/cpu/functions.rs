//! Functions of single numbers and sums over many, without branches and calls, so that the compiler makes vector
//! instructions of them.
//!
//! `FUSED` says that the instruction set adds a product in one instruction: without one, `f32::mul_add` is a call.

/// a · b + c.
#[inline(always)]
pub fn fused<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// The polynomial of these factors, the highest power first.
#[inline(always)]
pub fn polynomial<const FUSED: bool, const N: usize>(x: f32, factors: [f32; N]) -> f32 {
    let [first, rest @ ..] = factors.as_slice() else {
        return 0.0;
    };
    let mut sum = *first;
    for factor in rest {
        sum = fused::<FUSED>(sum, x, *factor);
    }
    sum
}

/// Not `f32::max`, which takes three instructions. What is no number stays so on the left.
#[inline(always)]
pub fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// Not `f32::min`, for the same reasons.
#[inline(always)]
pub fn smaller(a: f32, b: f32) -> f32 {
    if b < a { b } else { a }
}

/// 1.5 · 2²³: adding it rounds a number to a whole one, which then stands in the low bits.
pub const ROUND: f32 = 12_582_912.0;

/// eˣ to 2 units in the last place; as of −87 below it, and as of 88 above (Cody and Waite 1980, with Cephes's
/// polynomial).
#[inline(always)]
pub fn exp<const FUSED: bool>(x: f32) -> f32 {
    power::<FUSED>(smaller(larger(x, -87.0), 88.0))
}

/// The same for a number that is not above 88.
#[inline(always)]
pub fn exp_of_small<const FUSED: bool>(x: f32) -> f32 {
    power::<FUSED>(larger(x, -87.0))
}

#[inline(always)]
fn power<const FUSED: bool>(x: f32) -> f32 {
    let shifted = fused::<FUSED>(x, std::f32::consts::LOG2_E, ROUND);
    let whole = shifted - ROUND;
    let rest = fused::<FUSED>(whole, -0.693_359_4, x);
    let rest = fused::<FUSED>(whole, 2.121_944_4e-4, rest);
    let factors = [
        1.987_569_1e-4,
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ];
    let power = polynomial::<FUSED, 6>(rest, factors);
    let value = fused::<FUSED>(power * rest, rest, rest) + 1.0;
    // Times 2 to the power of `whole`, which is all that the low bits of `shifted` hold: added to the exponent.
    f32::from_bits(value.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// eˣ to 2·10⁻⁴ for a number that is not above 88, as of −87 below it: for what is rounded to eight binary digits
/// afterwards.
#[inline(always)]
pub fn rough_exp_of_small<const FUSED: bool>(x: f32) -> f32 {
    let x = larger(x, -87.0);
    let shifted = fused::<FUSED>(x, std::f32::consts::LOG2_E, ROUND);
    let rest = fused::<FUSED>(x, std::f32::consts::LOG2_E, ROUND - shifted);
    // 2 to the power of what is left, between -½ and ½.
    let factors = [0.055_171_66, 0.242_611_12, 0.693_261, 0.999_928_07];
    let value = polynomial::<FUSED, 4>(rest, factors);
    f32::from_bits(value.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// The error function to 5·10⁻⁷: a quotient of polynomials, as in Eigen.
#[inline(always)]
pub fn erf<const FUSED: bool>(x: f32) -> f32 {
    let x = smaller(larger(x, -4.0), 4.0);
    let square = x * x;
    let above = [
        -2.726_142_3e-10,
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_5e-5,
        -7.349_906_3e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ];
    let below = [
        -1.456_607_2e-5,
        -2.133_740_6e-4,
        -1.682_827e-3,
        -7.373_329_2e-3,
        -1.426_473_9e-2,
    ];
    x * polynomial::<FUSED, 7>(square, above) / polynomial::<FUSED, 5>(square, below)
}

/// The share of a normal distribution that lies below x, to 10⁻⁴ divided by |x|: what GELU multiplies x with, for
/// what is rounded to bytes afterwards. Of 4 and more it is 1, and of −4 and less 0.
#[inline(always)]
pub fn rough_normal<const FUSED: bool>(x: f32) -> f32 {
    let x = smaller(larger(x, -4.0), 4.0);
    let factors = [
        -4.543_618_4e-10,
        5.159_561e-8,
        -2.338_26e-6,
        5.778_661_6e-5,
        -8.857_252_3e-4,
        9.051_517e-3,
        -6.508_642e-2,
        3.982_007_8e-1,
    ];
    fused::<FUSED>(x, polynomial::<FUSED, 8>(x * x, factors), 0.5)
}

/// The hyperbolic tangent, by e²ˣ.
#[inline(always)]
pub fn tanh<const FUSED: bool>(x: f32) -> f32 {
    1.0 - 2.0 / (exp::<FUSED>(2.0 * x) + 1.0)
}

/// `join` of `take` of every number. Sixteen partial results, as a vector register has them: a single one
/// could not be computed in parallel.
#[inline(always)]
pub fn folded(
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
    rest.fold(joined(lanes, &join), &join)
}

/// `join` of all lanes, half with half: one after the other each would wait for the one before.
#[inline(always)]
pub fn joined(lanes: [f32; 16], join: impl Fn(f32, f32) -> f32) -> f32 {
    // Else the compiler would cut the loop before, which made the lanes, into pairs of them.
    let lanes = std::hint::black_box(lanes);
    // Not a loop: the compiler would take one lane after the other through memory.
    let eight: [f32; 8] = std::array::from_fn(|lane| join(lanes[lane], lanes[lane + 8]));
    let four: [f32; 4] = std::array::from_fn(|lane| join(eight[lane], eight[lane + 4]));
    join(join(four[0], four[2]), join(four[1], four[3]))
}

/// The sum of `take` of every number.
#[inline(always)]
pub fn sum(numbers: &[f32], take: impl Fn(f32) -> f32) -> f32 {
    folded(numbers, 0.0, take, |a, b| a + b)
}

/// The error function by its series, for |x| up to 5: what tests compare with.
#[cfg(test)]
pub fn erf_by_series(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..300 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_right_to_a_millionth() {
        for step in -8_650..8_800 {
            let x = step as f32 / 100.0;
            let expected = f64::from(x).exp();
            for found in [exp::<true>(x), exp::<false>(x)] {
                let error = (f64::from(found) / expected - 1.0).abs();
                assert!(error < 1e-6, "{x}: {error}");
            }
        }
        for x in [-1e9, f32::NEG_INFINITY] {
            assert!(exp::<true>(x) < 1e-37 && exp_of_small::<false>(x) < 1e-37);
        }
    }

    #[test]
    fn rough_exp_is_right_to_two_ten_thousandths() {
        for step in -8_650..8_800 {
            let x = step as f32 / 100.0;
            let expected = f64::from(x).exp();
            for found in [
                rough_exp_of_small::<true>(x),
                rough_exp_of_small::<false>(x),
            ] {
                let error = (f64::from(found) / expected - 1.0).abs();
                assert!(error < 2e-4, "{x}: {error}");
            }
        }
        assert!(rough_exp_of_small::<true>(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn erf_is_right_to_half_a_millionth() {
        for step in -4_500..4_500 {
            let x = step as f32 / 1_000.0;
            for found in [erf::<true>(x), erf::<false>(x)] {
                let error = (f64::from(found) - erf_by_series(f64::from(x))).abs();
                assert!(error < 5e-7, "{x}: {error}");
            }
        }
        assert_eq!(erf::<true>(100.0), erf::<true>(4.0));
    }

    #[test]
    fn what_is_no_number_stays_none() {
        let roughly = rough_exp_of_small::<true>;
        for f in [
            exp::<true>,
            exp_of_small::<true>,
            roughly,
            erf::<true>,
            tanh::<true>,
        ] {
            assert!(f(f32::NAN).is_nan());
        }
    }
}
