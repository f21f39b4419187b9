//! Executors: what computes a graph on a device. `cpu` is ours.
//!
//! Invariant: every result is a pure function of its inputs, whatever the number of threads. A picture's trunk output does not
//! depend on its neighbours, and gradients are summed shard by shard in a fixed order.

pub mod cpu;
