//! Lists that go by links: `connect` makes the link, `disconnect` puts it into the trash. A link is
//! a record like any other, so its rules, hooks and history are those of its object.

use std::collections::{HashMap, HashSet};

use relata_catalog::{FieldIndex, ObjectIndex, Value};
use relata_store::{
    Find, Record,
    filter::{ColumnRef, Filter, Operand, Operator},
    log::Change,
};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{List, Mode, create_in, kept, write_places};
use crate::{
    AppError, access,
    records::{Draft, can_go_together, input, references, trash},
    transact::Unit,
};

/// The object of the links, its relation to the record around, and that to the records of the list.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub(super) object: ObjectIndex,
    pub(super) here: FieldIndex,
    pub(super) there: FieldIndex,
}

/// Carries out what the data of a list says.
pub(super) async fn write(
    unit: &Unit,
    around: Uuid,
    list: &List<'_>,
    ends: Ends,
    mode: Mode,
    errors: &mut Vec<AppError>,
) -> Result<(), AppError> {
    let mut disconnected = named(unit, list, "disconnect", &list.disconnect, errors).await?;
    let mut connected = named(unit, list, "connect", &list.connect, errors).await?;
    let all = disconnected.iter().chain(&connected);
    let ids: Vec<Uuid> = all.map(|(id, _)| *id).collect();
    let mut seen = HashSet::new();
    for all in [&mut disconnected, &mut connected] {
        all.retain(|(id, (what, index))| {
            let is_new = seen.insert(*id);
            if !is_new {
                let error = AppError::bad_input("the same record is named twice");
                errors.push(error.at(*index).at(*what).at(list.name));
            }
            is_new
        });
    }
    let known = links(unit, ends, around, &ids).await?;
    disconnect(unit, list, ends, disconnected, &known, mode, errors).await?;
    connected.retain(|(id, _)| !known.contains_key(id));
    for (index, json) in list.create.iter().enumerate() {
        let at = |error: AppError| error.at(index).at("create").at(list.name);
        let made = match json {
            Json::Object(row) => create_in(unit, list.object, row, None, mode).await,
            _ => Err(AppError::bad_input("a record is an object of its fields")),
        };
        if let Some(id) = kept(made, errors, at)? {
            connected.push((id, ("create", index)));
        }
    }
    connect(unit, around, list, ends, connected, mode, errors).await
}

type Place = (&'static str, usize);

/// The records that keys name, with their places.
async fn named(
    unit: &Unit,
    list: &List<'_>,
    what: &'static str,
    keys: &[&Json],
    errors: &mut Vec<AppError>,
) -> Result<Vec<(Uuid, Place)>, AppError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let found = references::find_many(unit, list.object, keys).await?;
    let mut ids = Vec::with_capacity(found.len());
    for (index, found) in found.into_iter().enumerate() {
        let found = found.map_err(AppError::ValidationFailed);
        let at = |error: AppError| error.at(index).at(what).at(list.name);
        ids.extend(kept(found, errors, at)?.map(|id| (id, (what, index))));
    }
    Ok(ids)
}

/// The links that there are with some records, by their ids.
async fn links(
    unit: &Unit,
    ends: Ends,
    around: Uuid,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Record>, AppError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let is = |field, operator, operand| Filter::Compare {
        column: ColumnRef::Field { field, part: 0 },
        operator,
        operand,
    };
    let listed = ids.iter().copied().map(Value::Reference).collect();
    let filter = Filter::And(vec![
        is(ends.here, Operator::Eq, Operand::from(around)),
        is(ends.there, Operator::In, Operand::List(listed)),
    ]);
    let found = unit
        .transaction()
        .find(unit.catalogue(), &Find::new(ends.object, filter))
        .await?;
    Ok(found
        .into_iter()
        .filter_map(|link| match link.value(ends.there) {
            Value::Reference(there) => Some((*there, link)),
            _ => None,
        })
        .collect())
}

async fn disconnect(
    unit: &Unit,
    list: &List<'_>,
    ends: Ends,
    disconnected: Vec<(Uuid, Place)>,
    known: &HashMap<Uuid, Record>,
    mode: Mode,
    errors: &mut Vec<AppError>,
) -> Result<(), AppError> {
    for (id, (what, index)) in disconnected {
        let at = |error: AppError| error.at(index).at(what).at(list.name);
        let Some(link) = known.get(&id) else {
            let listed = &unit.catalogue().object(list.object).singular;
            let error = AppError::NotFound(format!(
                "the {listed} {id} is not among the {} of this record",
                list.name
            ));
            kept(Err::<(), _>(error), errors, at)?;
            continue;
        };
        if mode == Mode::Write && errors.is_empty() {
            let deleted = trash::record_delete(unit, ends.object, link.id).await;
            kept(deleted, errors, at)?;
        }
    }
    Ok(())
}

async fn connect(
    unit: &Unit,
    around: Uuid,
    list: &List<'_>,
    ends: Ends,
    connected: Vec<(Uuid, Place)>,
    mode: Mode,
    errors: &mut Vec<AppError>,
) -> Result<(), AppError> {
    if connected.is_empty() {
        return Ok(());
    }
    let object = unit.catalogue().object(ends.object);
    access::authorise(unit, object, Change::Create, &[ends.here, ends.there])?;
    let at_once = if can_go_together(unit, ends.object, Change::Create) {
        connected.len()
    } else {
        1
    };
    let nothing = Map::new();
    for connected in connected.chunks(at_once) {
        let given = vec![&nothing; connected.len()];
        let mut drafts: Vec<Draft> = input::created(unit, ends.object, &given).await?;
        for (draft, (id, _)) in drafts.iter_mut().zip(connected) {
            draft.values[ends.here.0] = Value::Reference(around);
            draft.values[ends.there.0] = Value::Reference(*id);
        }
        let places: Vec<(&str, usize)> = connected.iter().map(|(_, place)| *place).collect();
        let mode = if errors.is_empty() { mode } else { Mode::Look };
        write_places(unit, list.name, ends.object, drafts, &places, mode, errors).await?;
    }
    Ok(())
}
