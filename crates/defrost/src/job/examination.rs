//! `defrost doctor`, composed: data as they lie → a look at every file → features → findings.

use std::collections::BTreeSet;

use super::{Environment, Job, JobError};
use crate::data::DataOptions;
use crate::doctor::{Diagnosis, Features, Survey};
use crate::progress::Progress;
use crate::recipe::{Recipe, Stage};

/// Looks at the data of `recipe` through its backbone and tells what is wrong with them. The features come from the cache and
/// go there.
///
/// # Errors
/// When there are no data to look at, the weights can't be had, the cache can't be used, or the user stops.
pub fn examine(
    recipe: &Recipe,
    environment: &Environment<'_>,
    progress: Progress<'_>,
) -> Result<(Job, Diagnosis), JobError> {
    recipe.check()?;
    let recipe = plain(recipe)?;
    let options = DataOptions { as_found: true, ..recipe.data.options(recipe.seed, false) };
    let mut job = Job::with_data(&recipe, &options, environment, progress)?;
    let survey = Survey::of(&job.data, progress)?;
    // A picture without features would be tried again in every examination.
    let readable: BTreeSet<&str> = survey.seen.iter().map(|seen| seen.path.as_str()).collect();
    for side in [&mut job.data.train, &mut job.data.validation, &mut job.data.test] {
        side.retain(|sample| readable.contains(sample.path.as_str()));
    }
    let embedding = job.embed(progress)?;
    let features = Features::new(&survey, &embedding.paths, embedding.features.data());
    // As large as the features themselves.
    drop(embedding);
    let diagnosis = Diagnosis::of(&survey, features.as_ref());
    Ok((job, diagnosis))
}

/// Every picture on its plain view, as deep as the head begins, whatever the stages: the rows that `defrost embed` makes, too.
fn plain(recipe: &Recipe) -> Result<Recipe, JobError> {
    let mut recipe = recipe.clone();
    recipe.set("augment", "none")?;
    recipe.stages = vec![Stage::feature_extraction(1)];
    Ok(recipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Weights;

    #[test]
    fn a_run_of_any_stages_can_be_examined() {
        let stages = [Stage::feature_extraction(5), Stage::fine_tuning(5), Stage::full_fine_tuning(5)];
        for count in 0..=3 {
            let recipe = Recipe { stages: stages[..count].to_vec(), ..Recipe::default() };
            assert_eq!(plain(&recipe).unwrap().stages, [Stage::feature_extraction(1)], "{count}");
        }
        let scratch = Recipe { weights: Weights::None, ..Recipe::default() };
        assert_eq!(plain(&scratch.resolved()).unwrap().stages, [Stage::feature_extraction(1)]);
    }
}
