//! Words of `defrost advise`.

use super::Words;

impl Words {
    pub(crate) fn advised_recipe(self) -> String {
        say!(self, "the recipe, for `defrost train --recipe FILE`:", "`defrost train --recipe FILE`에 쓸 레시피:")
    }
}
