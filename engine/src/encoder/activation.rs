//! The functions between the two halves of a feed-forward network.

use candle_core::{Result, Tensor};

/// A function that is applied to each number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Activation {
    /// x Φ(x), with the exact normal distribution (Hendrycks and Gimpel 2016, arXiv:1606.08415).
    Gelu,
    /// Their approximation of it with tanh.
    GeluTanh,
    /// Their approximation of it with the logistic function: x σ(1.702 x).
    GeluSigmoid,
    /// max(x, 0).
    Relu,
    /// max(x, 0)².
    ReluSquared,
    /// x σ(x), also called swish.
    Silu,
    /// x tanh(ln(1 + eˣ)) (Misra 2019, arXiv:1908.08681).
    Mish,
    /// σ(x) = 1 / (1 + e⁻ˣ).
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// x.
    Identity,
}

use Activation::*;

/// The names of the reference implementation. Some functions have several.
pub(super) const NAMES: [(&str, Activation); 17] = [
    ("gelu", Gelu),
    ("gelu_python", Gelu),
    ("gelu_new", GeluTanh),
    ("gelu_fast", GeluTanh),
    ("gelu_pytorch_tanh", GeluTanh),
    ("gelu_python_tanh", GeluTanh),
    ("gelu_accurate", GeluTanh),
    ("quick_gelu", GeluSigmoid),
    ("relu", Relu),
    ("relu2", ReluSquared),
    ("silu", Silu),
    ("swish", Silu),
    ("mish", Mish),
    ("sigmoid", Sigmoid),
    ("tanh", Tanh),
    ("linear", Identity),
    ("identity", Identity),
];

/// [`NAMES`] for an error.
pub(super) const SUPPORTED: &str = "gelu, gelu_python, gelu_new, gelu_fast, gelu_pytorch_tanh, gelu_python_tanh, gelu_accurate, \
     quick_gelu, relu, relu2, silu, swish, mish, sigmoid, tanh, linear";

impl Activation {
    /// Its name in settings and fingerprints.
    pub fn name(self) -> &'static str {
        match self {
            Gelu => "gelu",
            GeluTanh => "gelu_tanh",
            GeluSigmoid => "gelu_sigmoid",
            Relu => "relu",
            ReluSquared => "relu_squared",
            Silu => "silu",
            Mish => "mish",
            Sigmoid => "sigmoid",
            Tanh => "tanh",
            Identity => "identity",
        }
    }

    /// The function of each number in `x`.
    pub(super) fn forward(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Gelu => x.gelu_erf(),
            GeluTanh => x.gelu(),
            GeluSigmoid => x * candle_nn::ops::sigmoid(&(x * 1.702)?)?,
            Relu => x.relu(),
            ReluSquared => x.relu()?.sqr(),
            Silu => x.silu(),
            // ln(1 + eˣ) = max(x, 0) + ln(1 + e⁻|x|), where no exponential overflows.
            Mish => x * (x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?)?.tanh()?,
            Sigmoid => candle_nn::ops::sigmoid(x),
            Tanh => x.tanh(),
            Identity => Ok(x.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use candle_core::Device;

    /// Values of PyTorch 2.8 in double precision, at -100, -2, -0.5, 0, 1 and 3.
    #[test]
    fn values_are_those_of_the_definitions() {
        let x = [-100.0_f32, -2.0, -0.5, 0.0, 1.0, 3.0];
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let tanh_gelu = |x: f64| {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
            0.5 * x * (1.0 + inner.tanh())
        };
        type Definition<'a> = &'a dyn Fn(f64) -> f64;
        let definitions: [(Activation, Definition<'_>); 9] = [
            (GeluTanh, &tanh_gelu),
            (GeluSigmoid, &|x| x * sigmoid(1.702 * x)),
            (Relu, &|x| x.max(0.0)),
            (ReluSquared, &|x| x.max(0.0).powi(2)),
            (Silu, &|x| x * sigmoid(x)),
            (Mish, &|x| x * x.exp().ln_1p().tanh()),
            (Sigmoid, &sigmoid),
            (Tanh, &f64::tanh),
            (Identity, &|x| x),
        ];
        let input = Tensor::new(&x, &Device::Cpu).unwrap();
        for (activation, definition) in definitions {
            let found: Vec<f32> = activation.forward(&input).unwrap().to_vec1().unwrap();
            for (x, found) in x.iter().zip(found) {
                let expected = definition(f64::from(*x)) as f32;
                let name = activation.name();
                assert!((found - expected).abs() < 1e-5, "{name}({x}) = {found}");
            }
        }
        let gelu: Vec<f32> = Gelu.forward(&input).unwrap().to_vec1().unwrap();
        let expected = [
            0.0,
            -0.045_500_264,
            -0.154_268_77,
            0.0,
            0.841_344_7,
            2.995_950_3,
        ];
        for (found, expected) in gelu.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found}, {expected}");
        }
    }
}
