//! Words of `defrost summary`.

use super::Words;

impl Words {
    pub(crate) fn layers(self, layers: usize, frozen: usize, trainable: usize) -> String {
        say!(
            self,
            "layers      {layers}: {frozen} frozen, {trainable} trainable",
            "레이어      {layers}개: 동결 {frozen}개, 학습 가능 {trainable}개"
        )
    }

    pub(crate) fn first_trainable(self, layer: &str) -> String {
        say!(self, ", from {layer} on", ", {layer}부터")
    }

    pub(crate) fn parameters(self, all: &str, trainable: &str, frozen: &str, percent: f64) -> String {
        say!(
            self,
            "parameters  {all}: {trainable} trainable ({percent:.2} %), {frozen} frozen",
            "파라미터    {all}개: 학습 가능 {trainable}개 ({percent:.2} %), 동결 {frozen}개"
        )
    }

    pub(crate) fn output_shape(self, shape: &[usize]) -> String {
        say!(self, "output      {shape:?}", "출력 형태   {shape:?}")
    }

    pub(crate) fn cut_inside_block(self, block: &str) -> String {
        say!(
            self,
            "this cut falls inside {block}; `from={block}` would thaw whole blocks",
            "이 경계는 {block} 안에 있습니다. `from={block}`로 지정하면 블록 전체가 해동됩니다"
        )
    }
}
