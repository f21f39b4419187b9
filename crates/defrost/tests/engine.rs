//! What the frozen forward pass takes of the machine: no allocation for a picture, and little memory for a thread.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail as the test does")]

use defrost::backbone;
use defrost::exec::cpu::{Engine, Precision, Program};
use defrost::graph::Tap;
use defrost::head::Head;
use defrost::model::{Layout, Model};

fn program(name: &str, precision: Precision) -> Program {
    let backbone = backbone::find(name).unwrap();
    let model = Model::new(backbone, Layout::Pretrained, 224, &Head::default(), 5, 0);
    Program::new(&model.graph, &model.params, Tap(0), Tap(model.backbone_layers), Engine::new(precision))
}

#[test]
fn a_picture_allocates_nothing() {
    for name in ["efficientnet_b0", "efficientnet_lite0", "mobilenet_v2_1.0"] {
        for precision in [Precision::F32, Precision::Bf16] {
            let program = program(name, precision);
            let picture = vec![100.0; program.input_len()];
            let (mut arena, mut output) = (program.arena(), vec![0.0; program.output_len()]);
            program.run(&picture, &mut arena, &mut output); // buffers grow to their size
            let counted = allocation_counter::measure(|| program.run(&picture, &mut arena, &mut output));
            assert_eq!(counted.count_total, 0, "{name} {precision:?}");
        }
    }
}

#[test]
fn a_thread_needs_at_most_eight_mebibytes() {
    for name in ["efficientnet_b0", "efficientnet_lite0", "mobilenet_v2_1.0"] {
        let bytes = program(name, Precision::F32).arena().bytes();
        assert!(bytes > 1 << 20 && bytes <= 8 << 20, "{name}: {bytes}");
    }
}
