//! Documents and variables to plans, over the standard catalogue.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use async_graphql::parser::parse_query;
use relata_catalog::{
    Blueprint, Catalogue, OWNER_PLATFORM, PLATFORM_TYPES, STANDARD, TakenNames, resolve,
};
use relata_store::Backend;
use serde_json::{Value as Json, json};

use super::{NoPlan, Plan, Planner, Step, draft::Draft, inputs::Variables, prepare::Prepared};
use crate::{
    GraphqlError, RecordsLimits,
    schema::{PluginOperation, RecordSchema},
};

pub(crate) fn standard() -> Catalogue {
    let blueprint = Blueprint::parse(STANDARD).unwrap();
    resolve(
        &Catalogue::default(),
        OWNER_PLATFORM,
        &blueprint,
        &TakenNames::default(),
    )
    .unwrap()
}

fn statement() -> PluginOperation {
    PluginOperation {
        plugin: "relata.membership".into(),
        operation: "statement".into(),
        field: "membership_statement".into(),
        is_mutation: false,
        description: "Points of a member.".into(),
        arguments: json!({
            "type": "object",
            "properties": {
                "member": {"type": "string", "format": "uuid"},
                "kinds": {"type": "array", "items": {"enum": ["EARN", "BURN"]}},
                "limit": {"type": "integer", "default": 10},
            },
            "required": ["member", "limit"],
        }),
        result: json!({
            "type": "object",
            "properties": {
                "balance": {"type": "string", "format": "decimal"},
                "free": {"type": "object"},
                "entries": {"type": "array", "items": {
                    "type": "object",
                    "properties": {"at": {"type": "string", "format": "date-time"}, "points": {"type": "integer"}},
                }},
            },
        }),
    }
}

struct World {
    catalogue: Arc<Catalogue>,
    schema: RecordSchema,
    limits: RecordsLimits,
}

impl World {
    fn new() -> Self {
        let catalogue = Arc::new(standard());
        let schema = RecordSchema::build(&catalogue, vec![statement()], true);
        Self {
            catalogue,
            schema,
            limits: RecordsLimits::default(),
        }
    }

    async fn prepare(&self, document: &str) -> Result<Prepared, Vec<String>> {
        crate::guard::inspect(document, &self.limits.document)
            .map_err(|refusal| vec![format!("{refusal:?}")])?;
        let parsed = parse_query(document).map_err(|error| vec![error.to_string()])?;
        let checked = self.schema.validate(parsed.clone(), None).await.unwrap();
        if let Err(errors) = checked
            && !errors
                .iter()
                .all(|error| error.message.starts_with("Invalid value for argument"))
        {
            return Err(errors.into_iter().map(|error| error.message).collect());
        }
        Prepared::new(parsed, None, document.len()).map_err(|error| vec![error.to_string()])
    }

    fn with<T>(
        &self,
        prepared: &Prepared,
        variables: &Json,
        work: impl FnOnce(&Planner<'_>) -> T,
    ) -> Result<T, Vec<String>> {
        let given = variables.as_object().cloned().unwrap_or_default();
        let variables = Variables::read(prepared, &given, &self.schema.inputs)
            .map_err(|issues| issues.0.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let coerce = relata_catalog::CoerceContext {
            region: Some("DE".into()),
            ..Default::default()
        };
        let planner = Planner {
            catalogue: &self.catalogue,
            schema: &self.schema,
            backend: Backend::Sqlite,
            limits: &self.limits,
            introspection: true,
            coerce: &coerce,
            locale: "zh-CN",
            prepared,
            variables: &variables,
        };
        Ok(work(&planner))
    }
}

/// What was wrong, one line for each issue.
async fn mistakes(document: &str, variables: Json) -> Vec<String> {
    let world = World::new();
    let prepared = match world.prepare(document).await {
        Ok(prepared) => prepared,
        Err(messages) => return messages,
    };
    let planned = world.with(&prepared, &variables, |planner| {
        let plan = planner.plan();
        let context = planner.coercion();
        match plan {
            Ok(plan) => {
                let mut issues = relata_catalog::Issues::default();
                for root in &plan.roots {
                    if let Step::Read(step) = &root.step {
                        step.parameters(planner.variables, &context, &mut issues);
                    }
                }
                lines(&issues.0)
            }
            Err(NoPlan::Wrong(errors)) => errors
                .iter()
                .flat_map(|error: &GraphqlError| lines(&error.issues))
                .collect(),
            Err(NoPlan::Compile(error)) => vec![error.to_string()],
        }
    });
    match planned {
        Ok(lines) | Err(lines) => lines,
    }
}

fn lines(issues: &[relata_catalog::Issue]) -> Vec<String> {
    issues
        .iter()
        .map(|issue| format!("{} {}", issue.path_text(), issue.code))
        .collect()
}

/// The shape that a list's selection becomes, and its parameters.
async fn shape(document: &str, variables: Json) -> String {
    let world = World::new();
    let prepared = world.prepare(document).await.unwrap();
    world
        .with(&prepared, &variables, |planner| {
            let fields = planner.prepared.collect(
                &[&planner.prepared.selection],
                planner.variables,
                &|name| name == "Query",
            );
            let mut draft = Draft::new(planner, fields[0].key);
            let object = planner
                .catalogue
                .objects
                .iter()
                .position(|object| object.plural == fields[0].name())
                .map(relata_catalog::ObjectIndex)
                .unwrap();
            let (connection, cost) = draft.connection(object, None, &fields[0]);
            assert_eq!(lines(&draft.issues.0), Vec::<String>::new());
            let mut issues = relata_catalog::Issues::default();
            let parameters = draft
                .slots
                .iter()
                .map(|slot| slot.parameter(planner.variables, &planner.coercion(), &mut issues))
                .collect::<Vec<_>>();
            assert_eq!(lines(&issues.0), Vec::<String>::new());
            format!("{connection:#?}\n{cost:?}\n{parameters:#?}")
        })
        .unwrap()
}

#[tokio::test]
async fn the_schema_of_the_standard_objects() {
    let schema = RecordSchema::build(&Arc::new(standard()), vec![statement()], true);
    insta::assert_snapshot!(schema.sdl().await.unwrap());
}

#[tokio::test]
async fn an_empty_catalogue_has_a_schema() {
    let schema = RecordSchema::build(&Arc::default(), Vec::new(), true);
    assert!(!schema.has_mutations());
    assert!(schema.sdl().await.unwrap().contains("viewer: Viewer!"));
}

#[tokio::test]
async fn a_valid_document_needs_a_part_of_the_schema() {
    let world = World::new();
    for (document, objects) in [
        ("{viewer{locale}}", &[][..]),
        ("{companies{nodes{id name}}}", &["company"]),
        (
            "{company(id: 1){people{nodes{id}}}}",
            &["company", "person"],
        ),
        (
            "{a: people{nodes{company{parent{id}}}}}",
            &["company", "person"],
        ),
        (
            "{people(where: {company: {deals: {some: {id: {isNull: false}}}}}){totalCount}}",
            &["company", "person", "deal"],
        ),
        (
            "query($where: DealFilter!){deals(where: $where){totalCount}}",
            &["deal"],
        ),
        (
            "query($by: [CompanyOrder!]){people(orderBy: {company: {name: ASC}}){totalCount} companies(orderBy: $by){totalCount}}",
            &["company", "person"],
        ),
        (
            "{deals{groups(by: [{company: {industry: true}}]){nodes{key{company{industry}}}}}}",
            &["company", "deal"],
        ),
        (
            "{node(id: 1){...on Person{name{full}} ...C}} fragment C on Company{id}",
            &["company", "person"],
        ),
        (
            "mutation{createCompany(data: {people: {create: [{jobTitle: \"x\"}]}}){id}}",
            &["company", "person"],
        ),
        (
            "mutation($d: [PersonCreate!]!, $w: DealFilter!){createPeople(data: $d){count} deleteDeals(where: $w){count}}",
            &["person", "deal"],
        ),
        ("mutation{restoreCompany(id: 1){id}}", &["company"]),
    ] {
        let parsed = parse_query(document).unwrap();
        let checked = world.schema.validate(parsed, None).await.unwrap();
        assert!(checked.is_ok(), "{document}: {checked:?}");
        assert_eq!(world.schema.made(), (false, true), "{document}");
        let mut expected: Vec<&str> = objects.to_vec();
        expected.sort_unstable();
        let mut named = world.schema.named(&parse_query(document).unwrap());
        named.sort_unstable();
        assert_eq!(named, expected, "{document}");
    }
    // What is wrong is told as the whole tells it.
    let parsed = parse_query("{companies{nodes{peeple{totalCount}}}}").unwrap();
    let wrong = world.schema.validate(parsed, None).await.unwrap();
    let message = &wrong.unwrap_err()[0].message;
    assert!(message.contains("Did you mean \"people\""), "{message}");
    assert_eq!(world.schema.made(), (true, true));
}

/// The catalogue refuses objects with these names: a type that it doesn't know would let an object
/// take its name.
#[tokio::test]
async fn the_catalogue_knows_all_types_of_the_platform() {
    let schema = RecordSchema::build(&Arc::default(), Vec::new(), true);
    let sdl = schema.sdl().await.unwrap();
    let types: Vec<String> = sdl
        .lines()
        .filter_map(|line| {
            let (keyword, rest) = line.split_once(' ')?;
            let is_type = ["type", "input", "enum", "scalar", "union", "interface"];
            is_type.contains(&keyword).then_some(rest)
        })
        .filter_map(|rest| rest.split([' ', '{', '=', '@']).next().map(str::to_owned))
        .collect();
    assert!(types.len() > 30, "{types:?}");
    for name in types {
        assert!(PLATFORM_TYPES.contains(&name.as_str()), "{name}");
    }
}

#[tokio::test]
async fn a_list_with_everything() {
    insta::assert_snapshot!(
        shape(
            "query Q($q: String!, $n: Int, $more: Boolean!) {
               companies(
                 where: {name: {iContains: $q}, or: [{industry: {in: [ENERGY, LEGAL]}}, {not: {people: {some: {emails: {eq: \"a@b.de\"}}}}}]}
                 orderBy: [{parent: {name: DESC_NULLS_LAST}}, {createdAt: ASC}]
                 first: $n
               ) {
                 __typename
                 total: totalCount
                 edges { cursor node { ...C } }
                 pageInfo { hasNextPage endCursor }
               }
             }
             fragment C on Company {
               id label
               ... on Record { version createdBy { __typename ... on User { id email } ... on Plugin { name } } }
               phones { primary { e164 } additional { typed __typename } }
               people(first: 5, deleted: INCLUDE) @include(if: $more) { nodes { name { full } } }
               left: people @skip(if: $more) { totalCount }
             }",
            json!({"q": "energie", "n": 20, "more": true}),
        )
        .await
    );
}

#[tokio::test]
async fn a_whole_filter_in_a_variable() {
    let document = "query Q($where: CompanyFilter, $orderBy: [CompanyOrder!]) { companies(where: $where, orderBy: $orderBy) { nodes { id } } }";
    let first = shape(
        document,
        json!({"where": {"name": {"eq": "a"}, "employees": {"between": [1, 5]}}, "orderBy": [{"name": "ASC"}]}),
    )
    .await;
    insta::assert_snapshot!(first);
    // Other operands: the same shape, other parameters.
    let second = shape(
        document,
        json!({"where": {"name": {"eq": "b"}, "employees": {"between": [2, 7]}}, "orderBy": [{"name": "ASC"}]}),
    )
    .await;
    let connection = |text: &str| text.split("\nCost").next().unwrap().to_owned();
    assert_eq!(connection(&first), connection(&second));
    assert_ne!(first, second);
}

#[tokio::test]
async fn stages_are_asked_for_by_name() {
    insta::assert_snapshot!(
        shape(
            "query Q($s: String!) { deals(where: {stage: {eq: $s, type: {in: [OPEN]}}}) { nodes { stage { stage { name label type probability position } pipeline enteredAt passages(first: 2) { from { name } at } options { stage { name } allowed unmet { code message path } } } } } }",
            json!({"s": "won"}),
        )
        .await
    );
}

#[tokio::test]
async fn all_mistakes_of_all_roots_at_once() {
    assert_eq!(
        mistakes(
            "query Q($x: String, $d: Date) {
               companies(where: {name: {eq: null}, id: {eq: \"nope\"}, employees: {gt: 1, between: [1]}}, first: 1, last: 2) { totalCount }
               deals(where: {closeDate: {lt: $d}, amount: {amount: {gt: \"x\"}}, stage: {eq: \"nowhere\"}}, orderBy: [{company: {}}]) { totalCount }
               people(where: {name: {iContains: $x}, phones: {}}) { totalCount }
             }",
            json!({"d": "2026-02-30"}),
        )
        .await,
        [
            "companies.where.name.eq NULL_OPERAND",
            "companies.where.id.eq WRONG_TYPE",
            "companies.where.employees.between WRONG_TYPE",
            "companies CONFLICT",
            "deals.where.amount.amount.gt WRONG_TYPE",
            "deals.where.stage.eq[0] UNKNOWN_VALUE",
            "deals.orderBy[0].company ONE_OF",
            "people.where.name.iContains NULL_OPERAND",
            "people.where.phones NO_OPERATOR",
        ]
    );
}

#[tokio::test]
async fn times_within_are_counted_at_each_run() {
    assert_eq!(
        mistakes(
            "query Q($n: Int) {
               a: deals(where: {closeDate: {within: {last: 1, next: 2, unit: DAY}}}) { totalCount }
               b: deals(where: {closeDate: {within: {last: 1, unit: HOUR}}}) { totalCount }
               c: deals(where: {closeDate: {within: {last: $n, unit: DAY}}}) { totalCount }
             }",
            json!({"n": 5})
        )
        .await,
        [
            "a.where.closeDate.within ONE_OF",
            "b.where.closeDate.within.unit WRONG_TYPE",
        ]
    );
    assert_eq!(
        mistakes(
            "query Q($n: Int) { deals(where: {closeDate: {within: {last: 0, unit: DAY}}, createdAt: {within: {next: $n, unit: YEAR}}}) { totalCount } }",
            json!({"n": 100_001})
        )
        .await,
        [
            "deals.where.closeDate.within.last WRONG_TYPE",
            "deals.where.closeDate.within.last WRONG_TYPE",
            "deals.where.createdAt.within.next WRONG_TYPE",
            "deals.where.createdAt.within.next WRONG_TYPE",
        ]
    );
    let shape = shape(
        "{ deals(where: {createdAt: {within: {last: 7, unit: DAY}}}) { totalCount } }",
        json!({}),
    )
    .await;
    assert!(shape.contains("Parameter("), "{shape}");
}

#[tokio::test]
async fn operands_of_variables_are_checked_at_each_run() {
    let document = "query Q($d: Date, $s: String, $n: Int, $ids: [ID!]) { deals(first: $n, where: {closeDate: {lt: $d}, stage: {eq: $s}, id: {in: $ids}}) { totalCount } }";
    assert_eq!(
        mistakes(
            document,
            json!({"d": "2026-02-30", "s": "nowhere", "n": -1, "ids": ["x", "0190163d-8694-739b-aea5-966c26f8ad91"]})
        )
        .await,
        [
            "deals.where.closeDate.lt WRONG_TYPE",
            "deals.where.stage.eq[0] UNKNOWN_VALUE",
            "deals.where.id.in[0] WRONG_TYPE",
            "deals.first WRONG_TYPE",
        ]
    );
    assert_eq!(
        mistakes(
            document,
            json!({"d": "2026-02-28", "s": "won", "ids": "0190163d-8694-739b-aea5-966c26f8ad91"})
        )
        .await,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn variables_are_checked_against_their_types() {
    assert_eq!(
        mistakes(
            "query Q($where: CompanyFilter, $n: Int!, $i: CompanyIndustry) { companies(where: $where, first: $n) { totalCount } other: companies(where: {industry: {eq: $i}}) { totalCount } }",
            json!({"where": {"nam": {"eq": 1}, "employees": {"gt": "x"}}, "i": "FISHING"})
        )
        .await
        .iter()
        .map(|line| line.split(": ").next().unwrap().to_owned())
        .collect::<Vec<_>>(),
        [
            "variables.where.nam",
            "variables.where.employees.gt",
            "variables.n",
            "variables.i",
        ]
    );
}

#[tokio::test]
async fn literals_with_several_mistakes_give_all_of_them() {
    assert_eq!(
        mistakes(
            "mutation { createCompany(data: {nme: \"x\", industry: FISHING, employees: \"y\", annualRevenue: {currency: 5}}) { id } }",
            json!({})
        )
        .await,
        [
            "createCompany.data.nme UNKNOWN_FIELD",
            "createCompany.data.industry UNKNOWN_VALUE",
            "createCompany.data.employees WRONG_TYPE",
            "createCompany.data.annualRevenue.currency WRONG_TYPE",
            "createCompany.data.annualRevenue.amount REQUIRED",
        ]
    );
}

#[tokio::test]
async fn pages_have_a_size_and_a_limit() {
    assert_eq!(
        mistakes("{ companies(first: 501) { totalCount } }", json!({})).await,
        ["companies.first PAGE_TOO_LARGE"]
    );
    assert_eq!(
        mistakes("{ companies(first: 0) { totalCount } }", json!({})).await,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn costs_multiply_through_the_levels() {
    let world = World::new();
    let prepared = world
        .prepare("query Q($n: Int) { companies(first: 100) { nodes { people(first: $n) { nodes { id deals { totalCount } } } } } }")
        .await
        .unwrap();
    let rows = |n: Json| {
        world
            .with(&prepared, &json!({"n": n}), |planner| {
                let plan: Plan = planner.plan().map_err(|_| "no plan").unwrap();
                let Step::Read(step) = &plan.roots[0].step else {
                    panic!("not a read");
                };
                let mut issues = relata_catalog::Issues::default();
                step.parameters(planner.variables, &planner.coercion(), &mut issues)
                    .1
            })
            .unwrap()
    };
    assert_eq!(rows(json!(10)), 100 * (1 + 10 * (1 + 1)));
    assert_eq!(rows(json!(500)), 100 * (1 + 500 * (1 + 1)));
}

#[tokio::test]
async fn the_validator_still_speaks() {
    for document in [
        "{ companies { nodes { nothing } } }",
        "{ companies(wher: {}) { totalCount } }",
        "query Q($x: Nothing) { companies(first: $x) { totalCount } }",
        "{ companies { nodes { ...F } } }",
        "{ company { id } }",
        "query Q($x: String) { companies(first: $x) { totalCount } }",
        "query Q($x: [String!]) { companies(where: {name: {eq: $x}}) { totalCount } }",
        "query Q($x: CompanyOrder) { companies(orderBy: $x) { totalCount } }",
        "{ companies }",
        "{ viewer { locale { x } } }",
    ] {
        assert!(
            !mistakes(document, json!({})).await.is_empty(),
            "{document}"
        );
    }
}

#[tokio::test]
async fn one_key_for_two_things_is_a_conflict() {
    assert_eq!(
        mistakes(
            "{ companies { nodes { x: name ... on Record { x: label } people(first: 1) { totalCount } ... on Company { people(first: 2) { totalCount } } } } }",
            json!({})
        )
        .await,
        ["companies.nodes.x CONFLICT", "companies.nodes.people CONFLICT"]
    );
}
