//! Activations and their derivatives, and their vector form that other kernels fuse.

use crate::Kernels;
use crate::simd::{Routine, Simd, Step, Target, sweep};

/// A function applied to each element of a layer's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Activation {
    /// `x`
    #[default]
    Linear,
    /// `max(x, 0)`
    Relu,
    /// `min(max(x, 0), 6)`
    Relu6,
    /// `x · sigmoid(x)`, also called SiLU
    Swish,
    /// `1 / (1 + exp(−x))`
    Sigmoid,
}

/// An [`Activation`] as a type, so that a loop is compiled with it inside.
pub(crate) trait Function: Copy {
    fn value<S: Simd>(self, simd: S, x: S::Vector) -> S::Vector;
    /// `dy · f'(x)`
    fn gradient<S: Simd>(self, simd: S, x: S::Vector, dy: S::Vector) -> S::Vector;
}

/// Compiles `$body` once for each activation, with `$function` bound to its [`Function`], and runs the one asked for.
macro_rules! match_activation {
    ($activation:expr, $function:ident => $body:expr) => {
        match $activation {
            $crate::Activation::Linear => {
                let $function = $crate::activation::Linear;
                $body
            }
            $crate::Activation::Relu => {
                let $function = $crate::activation::Relu;
                $body
            }
            $crate::Activation::Relu6 => {
                let $function = $crate::activation::Relu6;
                $body
            }
            $crate::Activation::Swish => {
                let $function = $crate::activation::Swish;
                $body
            }
            $crate::Activation::Sigmoid => {
                let $function = $crate::activation::Sigmoid;
                $body
            }
        }
    };
}
pub(crate) use match_activation;

#[derive(Clone, Copy)]
pub(crate) struct Linear;
#[derive(Clone, Copy)]
pub(crate) struct Relu;
#[derive(Clone, Copy)]
pub(crate) struct Relu6;
#[derive(Clone, Copy)]
pub(crate) struct Swish;
#[derive(Clone, Copy)]
pub(crate) struct Sigmoid;

// In `min` and `max` the argument stands second: that is the one that a NaN comes through from.

impl Function for Linear {
    #[inline(always)]
    fn value<S: Simd>(self, _: S, x: S::Vector) -> S::Vector {
        x
    }
    #[inline(always)]
    fn gradient<S: Simd>(self, _: S, _: S::Vector, dy: S::Vector) -> S::Vector {
        dy
    }
}

impl Function for Relu {
    #[inline(always)]
    fn value<S: Simd>(self, s: S, x: S::Vector) -> S::Vector {
        s.max(s.splat(0.0), x)
    }
    #[inline(always)]
    fn gradient<S: Simd>(self, s: S, x: S::Vector, dy: S::Vector) -> S::Vector {
        s.select_greater(x, s.splat(0.0), dy, s.splat(0.0))
    }
}

impl Function for Relu6 {
    #[inline(always)]
    fn value<S: Simd>(self, s: S, x: S::Vector) -> S::Vector {
        s.min(s.splat(6.0), s.max(s.splat(0.0), x))
    }
    #[inline(always)]
    fn gradient<S: Simd>(self, s: S, x: S::Vector, dy: S::Vector) -> S::Vector {
        let zero = s.splat(0.0);
        s.select_greater(s.splat(6.0), x, s.select_greater(x, zero, dy, zero), zero)
    }
}

impl Function for Swish {
    #[inline(always)]
    fn value<S: Simd>(self, s: S, x: S::Vector) -> S::Vector {
        let x = s.max(s.splat(-FLAT), x);
        s.mul(x, sigmoid_below(s, s.min(s.splat(FLAT), x)))
    }
    /// `f'(x) = σ(x) · (1 + x · (1 − σ(x)))`
    #[inline(always)]
    fn gradient<S: Simd>(self, s: S, x: S::Vector, dy: S::Vector) -> S::Vector {
        let one = s.splat(1.0);
        let x = s.min(s.splat(FLAT), s.max(s.splat(-FLAT), x));
        let sigmoid = sigmoid_below(s, x);
        s.mul(dy, s.mul(sigmoid, s.mul_add(x, s.sub(one, sigmoid), one)))
    }
}

impl Function for Sigmoid {
    #[inline(always)]
    fn value<S: Simd>(self, s: S, x: S::Vector) -> S::Vector {
        sigmoid_below(s, s.min(s.splat(FLAT), s.max(s.splat(-FLAT), x)))
    }
    /// `f'(x) = σ(x) · (1 − σ(x))`
    #[inline(always)]
    fn gradient<S: Simd>(self, s: S, x: S::Vector, dy: S::Vector) -> S::Vector {
        let sigmoid = self.value(s, x);
        s.mul(dy, s.mul(sigmoid, s.sub(s.splat(1.0), sigmoid)))
    }
}

/// Beyond ±87 the sigmoid is 1, or less than 2^-125, to single precision.
const FLAT: f32 = 87.0;

/// `1 / (1 + exp(−x))` for |x| ≤ [`FLAT`].
#[inline(always)]
fn sigmoid_below<S: Simd>(s: S, x: S::Vector) -> S::Vector {
    s.reciprocal(s.add(s.exp_negated(x), s.splat(1.0)))
}

impl Kernels {
    /// `x = f(x)`
    pub fn activate(&self, activation: Activation, x: &mut [f32]) {
        match_activation!(activation, function => self.call(Activate { function, x }));
    }

    /// `dy = dy · f'(input)`, with `input` the value before the activation.
    ///
    /// As in TensorFlow, the derivative of `Relu` is 0 at 0, and that of `Relu6` is 0 at 0 and at 6.
    ///
    /// # Panics
    ///
    /// If `input` and `dy` differ in length.
    pub fn activation_gradient(&self, activation: Activation, input: &[f32], dy: &mut [f32]) {
        assert_eq!(input.len(), dy.len(), "`input` and `dy` must have the same length");
        match_activation!(activation, function => self.call(Gradient { function, input, dy }));
    }
}

struct Activate<'a, F> {
    function: F,
    x: &'a mut [f32],
}

impl<F: Function> Routine for Activate<'_, F> {
    #[inline(always)]
    fn run<T: Target>(mut self, target: T) {
        let len = self.x.len();
        // SAFETY: the step stays within `x`.
        unsafe { sweep(target, len, &mut self) };
    }
}

impl<F: Function> Step for Activate<'_, F> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        // SAFETY: the caller keeps the vector within `x`.
        unsafe {
            let x = self.x.as_mut_ptr().add(at);
            s.store(x, self.function.value(s, s.load(x)));
        }
    }
}

struct Gradient<'a, F> {
    function: F,
    input: &'a [f32],
    dy: &'a mut [f32],
}

impl<F: Function> Routine for Gradient<'_, F> {
    #[inline(always)]
    fn run<T: Target>(mut self, target: T) {
        let len = self.input.len().min(self.dy.len());
        // SAFETY: the step stays within both slices.
        unsafe { sweep(target, len, &mut self) };
    }
}

impl<F: Function> Step for Gradient<'_, F> {
    #[inline(always)]
    unsafe fn step<S: Simd>(&mut self, s: S, at: usize) {
        // SAFETY: the caller keeps the vector within both slices.
        unsafe {
            let dy = self.dy.as_mut_ptr().add(at);
            s.store(dy, self.function.gradient(s, s.load(self.input.as_ptr().add(at)), s.load(dy)));
        }
    }
}
