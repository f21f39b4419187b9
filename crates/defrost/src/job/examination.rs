//! `defrost doctor`, composed: data as they lie → a look at every file → features → findings.

use std::collections::BTreeSet;

use super::{Environment, Job, JobError};
use crate::data::DataOptions;
use crate::doctor::{Diagnosis, Features, Survey};
use crate::progress::Progress;
use crate::recipe::Recipe;

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
    let mut recipe = recipe.clone();
    // Every picture on its plain view, as deep as the head begins: the rows that `defrost embed` makes, too.
    recipe.set("augment", "none")?;
    recipe.set_epochs("1,0")?;
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
    let diagnosis = Diagnosis::of(&survey, features.as_ref());
    Ok((job, diagnosis))
}
