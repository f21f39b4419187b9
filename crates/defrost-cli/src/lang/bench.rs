//! Words of `defrost bench`.

use super::Words;

impl Words {
    pub(crate) fn bench_speed(self, forward: f64, train: f64, cut: &str) -> String {
        say!(
            self,
            "forward     {forward:.1} pictures/s, from pixels to pooled features\ntraining    {train:.1} pictures/s, {cut}, from stored rows",
            "순전파      초당 {forward:.1}장, 픽셀에서 풀링한 특징까지\n학습        초당 {train:.1}장, {cut}, 저장한 행에서"
        )
    }

    pub(crate) fn bench_engine(self, isa: &str, threads: usize, arena: &str, peak: Option<&str>) -> String {
        let peak = peak.map(|peak| say!(self, ", {peak} at most in all", ", 전체 최대 {peak}")).unwrap_or_default();
        say!(
            self,
            "engine      {isa}, {threads} threads, {arena} of buffers a thread{peak}",
            "엔진        {isa}, 스레드 {threads}개, 스레드마다 버퍼 {arena}{peak}"
        )
    }
}
