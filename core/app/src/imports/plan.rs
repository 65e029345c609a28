//! An import's options, held against the catalogue at one revision.

use relata_catalog::{CoerceContext, Issue, Issues, Object, ObjectIndex, Unique};

use super::{
    Guess, ImportAction, ImportOptions,
    cells::Reading,
    guess,
    mapping::Mapping,
    source::{RawRow, Source},
};
use crate::{
    AppError, Caller, State, Workspace,
    records::{FoundBy, Keyed},
};

/// What is done with the rows, at one revision.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) revision: u64,
    pub(super) object: ObjectIndex,
    pub(super) mapping: Mapping,
    on: On,
    action: ImportAction,
}

/// As [`FoundBy`], of its own.
#[derive(Debug)]
enum On {
    Nothing,
    Id,
    Unique(Unique),
}

impl Plan {
    /// With the mapping that the options give.
    pub(super) fn resolve(
        state: &State,
        context: CoerceContext,
        object: &str,
        header: &[String],
        options: &ImportOptions,
    ) -> Result<Self, AppError> {
        let (index, described) = object_named(state, object)?;
        let reading = reading(context, options);
        let on = on(described, options)?;
        let mapping = Mapping::resolve(
            &state.catalogue,
            index,
            header,
            &options.map,
            options,
            reading,
        )?;
        Ok(Self {
            revision: state.revision,
            object: index,
            mapping,
            on,
            action: options.action,
        })
    }

    /// With the mapping that the options give, or one that is guessed where they give none; and
    /// that mapping.
    pub(super) fn resolve_guessed(
        workspace: &Workspace,
        caller: &Caller,
        object: &str,
        source: &Source,
        options: &ImportOptions,
    ) -> Result<(Self, Vec<String>), AppError> {
        let state = workspace.state();
        let mut options = options.clone();
        if options.map.is_empty() {
            let rows = source.first(guess::ROWS)?;
            options.map = map_of(&guesses(
                workspace, caller, object, source, &rows, &options,
            )?);
        }
        let context = context(workspace, caller);
        let plan = Self::resolve(&state, context, object, &source.header, &options)?;
        Ok((plan, options.map))
    }

    pub(super) fn found_by(&self) -> FoundBy<'_> {
        match &self.on {
            On::Nothing => FoundBy::Nothing,
            On::Id => FoundBy::Id,
            On::Unique(unique) => FoundBy::Unique(unique),
        }
    }

    pub(super) fn keyed(&self) -> Keyed {
        match self.action {
            ImportAction::Update => Keyed::Update,
            ImportAction::Create | ImportAction::Upsert => Keyed::Upsert,
        }
    }
}

/// What each column may be.
pub(super) fn guesses(
    workspace: &Workspace,
    caller: &Caller,
    object: &str,
    source: &Source,
    rows: &[RawRow],
    options: &ImportOptions,
) -> Result<Vec<Guess>, AppError> {
    let state = workspace.state();
    let (index, _) = object_named(&state, object)?;
    let reading = reading(context(workspace, caller), options);
    let finds_by_id = options.on.iter().any(|name| name == "id");
    let (catalogue, header) = (&state.catalogue, &source.header);
    Ok(guess::guess(
        catalogue,
        index,
        header,
        rows,
        &reading,
        finds_by_id,
    ))
}

/// The mapping that guesses make, in the form of the options.
pub(super) fn map_of(guesses: &[Guess]) -> Vec<String> {
    guesses
        .iter()
        .filter_map(|guess| Some(format!("{}={}", guess.column, guess.target.as_ref()?)))
        .collect()
}

fn object_named<'s>(state: &'s State, object: &str) -> Result<(ObjectIndex, &'s Object), AppError> {
    state
        .catalogue
        .object_named(object)
        .map(|(index, object)| (index, &**object))
        .ok_or_else(|| {
            let names: Vec<&str> = state
                .catalogue
                .objects
                .iter()
                .map(|object| object.singular.as_str())
                .collect();
            AppError::bad_input(format!(
                "there is no object `{object}`; there are {}",
                names.join(", ")
            ))
        })
}

fn reading(context: CoerceContext, options: &ImportOptions) -> Reading {
    Reading {
        context,
        date_order: options.date_order,
        decimal_comma: options.decimal_comma,
        override_gates: options.override_gates,
    }
}

/// How values of the caller's files are read.
pub(super) fn context(workspace: &Workspace, caller: &Caller) -> CoerceContext {
    CoerceContext {
        region: workspace.options().region.clone(),
        currency: workspace.options().currency.clone(),
        now_micros: crate::clock::now_micros(),
        zone: Some(caller.zone.clone()),
    }
}

fn on(object: &Object, options: &ImportOptions) -> Result<On, AppError> {
    let wrong = |message: String| {
        let issues = Issues::from(Issue::new("BAD_INPUT", message).at("on"));
        Err(AppError::bad_input_issues(issues))
    };
    match (options.action, options.on.as_slice()) {
        (ImportAction::Create, []) => Ok(On::Nothing),
        (ImportAction::Create, _) => wrong(
            "records that are created are not looked for; leave `on` out, or ask for UPSERT"
                .to_owned(),
        ),
        (_, [name]) if name == "id" => Ok(On::Id),
        (_, names) => {
            let mut wanted: Vec<&str> = names.iter().map(String::as_str).collect();
            wanted.sort_unstable();
            let keys: Vec<(Vec<&str>, &Unique)> = object
                .uniques
                .iter()
                .map(|unique| {
                    let fields = unique.fields.iter();
                    let names =
                        fields.filter_map(|key| Some(object.field_keyed(key)?.1.name.as_str()));
                    (names.collect(), unique)
                })
                .collect();
            let found = keys.iter().find(|(names, _)| {
                let mut names = names.clone();
                names.sort_unstable();
                names == wanted
            });
            match found {
                Some((_, unique)) => Ok(On::Unique((*unique).clone())),
                None => {
                    let known: Vec<String> = std::iter::once("id".to_owned())
                        .chain(keys.iter().map(|(names, _)| names.join("+")))
                        .collect();
                    wrong(format!(
                        "`on` says by what {} are found: one of {}",
                        object.plural,
                        known.join(", ")
                    ))
                }
            }
        }
    }
}
