//! Options of the commands that use an opened model.

use crate::failure::Failure;
use crate::model::ReleasedModel;
use crate::schema::Schema;
use crate::table::{Table, TableError};
use nn::model::Model;
use std::path::{Path, PathBuf};

/// Which model, and how rows are read.
#[derive(clap::Args)]
pub struct ModelArgs {
    /// Directory with model.safetensors and model.json.
    #[arg(value_name = "MODEL_DIR")]
    model: PathBuf,
    /// The schema that the model was trained with; the model's own copy if left out.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
}

impl ModelArgs {
    /// Where the model is.
    pub fn dir(&self) -> &Path {
        &self.model
    }

    /// Loads the model and the schema.
    ///
    /// # Errors
    /// When either cannot be used, or they do not belong together.
    pub fn load(&self) -> Result<(Model, Schema), Failure> {
        let released = self.released()?;
        Ok((released.model, released.schema))
    }

    /// Loads the model with its card; the schema is the file that was named, or else its own.
    ///
    /// # Errors
    /// When either cannot be used, or they do not belong together.
    pub fn released(&self) -> Result<ReleasedModel, Failure> {
        let mut released = ReleasedModel::load(&self.model)?;
        let Some(path) = &self.schema else { return Ok(released) };
        let schema = Schema::load(path)?;
        let (found, expected) = (schema.digest(), released.schema.digest());
        if found != expected {
            return Err(Failure::new(format!(
                "{} has digest {}, but the model was trained with schema {}",
                path.display(),
                found.short(),
                expected.short()
            ))
            .with_hint("leave --schema out: the model brings its own copy"));
        }
        released.schema = schema;
        Ok(released)
    }
}

/// Reads rows as a schema says that its files are written.
///
/// # Errors
/// When the file is no usable table.
pub fn read_rows(path: &Path, schema: &Schema) -> Result<Table, TableError> {
    Table::read(path, schema.file().csv_format())
}
