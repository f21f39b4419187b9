//! Strips: a depthwise convolution some rows at a time, so that its input, computed on the way, stays in the second-level
//! cache and is never stored.

use std::ops::Range;

use defrost_kernels::Depthwise;

/// Bytes of a strip of the input: a part of the second-level cache. Networks of tests are small.
const STRIP_BYTES: usize = if cfg!(test) { 8 << 10 } else { 256 << 10 };

/// A part of a depthwise convolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Strip {
    /// Rows of the input.
    pub(super) inputs: Range<usize>,
    /// Rows of the output.
    pub(super) outputs: Range<usize>,
    /// The convolution of just these rows.
    pub(super) window: Depthwise,
}

/// Output rows of a strip.
pub(super) fn rows_at_a_time(g: &Depthwise) -> usize {
    let held = (STRIP_BYTES / size_of::<f32>() / (g.width * g.channels).max(1)).max(g.kernel[0]);
    ((held - g.kernel[0]) / g.stride + 1).min(g.out_height)
}

/// Elements of the longest strip of the input.
pub(super) fn strip_len(g: &Depthwise) -> usize {
    by_outputs(g).map(|strip| strip.inputs.len() * g.width * g.channels).max().unwrap_or(0)
}

/// The output in strips, from top to bottom, each with all input rows that it is computed from: neighbours share some.
pub(super) fn by_outputs(g: &Depthwise) -> impl Iterator<Item = Strip> {
    let (g, rows) = (*g, rows_at_a_time(g));
    (0..g.out_height).step_by(rows.max(1)).map(move |start| {
        let outputs = start..g.out_height.min(start + rows);
        let end = ((outputs.end - 1) * g.stride + g.kernel[0]).saturating_sub(g.pad_top);
        strip(&g, (start * g.stride).saturating_sub(g.pad_top)..end.min(g.height), outputs)
    })
}

/// The input in strips, from top to bottom, each with all output rows that it takes part in: together the strips hold each pair
/// of an input and an output row once.
pub(super) fn by_inputs(g: &Depthwise) -> impl Iterator<Item = Strip> {
    let g = *g;
    let rows = (rows_at_a_time(&g) * g.stride).max(1);
    (0..g.height).step_by(rows).map(move |start| {
        let inputs = start..g.height.min(start + rows);
        // Output `y` reads the inputs from `y · stride − pad` on, as many as the kernel has rows.
        let first = (start + g.pad_top + 1).saturating_sub(g.kernel[0]).div_ceil(g.stride);
        let end = ((inputs.end - 1 + g.pad_top) / g.stride + 1).min(g.out_height);
        strip(&g, inputs, first.min(end)..end)
    })
}

/// Walks over the output's strips. `make` computes the rows of the input that the buffer doesn't hold yet; `convolve` has all
/// rows of a strip.
///
/// # Panics
/// When `buffer` is shorter than [`strip_len`].
pub(super) fn walk(
    g: &Depthwise,
    buffer: &mut [f32],
    mut make: impl FnMut(Range<usize>, &mut [f32]),
    mut convolve: impl FnMut(&Strip, &[f32]),
) {
    let row = g.width * g.channels;
    let mut held = Range::<usize>::default();
    for strip in by_outputs(g) {
        let inputs = strip.inputs.clone();
        // What the last strip has computed already moves to the front.
        let kept = held.end.saturating_sub(inputs.start);
        if kept > 0 {
            let from = inputs.start - held.start;
            buffer.copy_within(from * row..(from + kept) * row, 0);
        }
        let rows = &mut buffer[..inputs.len() * row];
        make(inputs.start + kept..inputs.end, &mut rows[kept * row..]);
        convolve(&strip, rows);
        held = inputs;
    }
}

fn strip(g: &Depthwise, inputs: Range<usize>, outputs: Range<usize>) -> Strip {
    let pad_top = inputs.start + g.pad_top - outputs.start * g.stride;
    let window = Depthwise { height: inputs.len(), out_height: outputs.len(), pad_top, ..*g };
    Strip { inputs, outputs, window }
}
