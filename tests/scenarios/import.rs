//! Real data comes in: the Chinook company and 1,303 listed companies (`tests/data`).

use std::path::{Path, PathBuf};

use relata_tests::{Server, scenario};
use serde_json::{Value, json};

fn data(file: &str) -> String {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    folder.join(file).to_string_lossy().into_owned()
}

async fn import(server: &Server, object: &str, file: &str, options: &[&str]) -> Value {
    // An absolute path stays what it is.
    let path = data(file);
    let mut arguments = vec!["import", object, &path, "--json"];
    arguments.extend(options);
    let printed = server
        .relata(&arguments)
        .await
        .unwrap_or_else(|error| panic!("{object}: {error:#}"));
    serde_json::from_str(&printed).unwrap_or_else(|_| panic!("not JSON: {printed}"))
}

async fn import_chinook(server: &Server) {
    server
        .relata(&["apply", &data("chinook.yaml")])
        .await
        .unwrap();
    let companies = import(
        server,
        "company",
        "chinook_customers.csv",
        &[
            "--map",
            "company=name",
            "--skip-empty",
            "company",
            "--distinct",
            "company",
        ],
    )
    .await;
    assert_eq!(companies["created"], 10, "{companies:#}");
    let employees = import(
        server,
        "employee",
        "chinook_employees.csv",
        &[
            "--map",
            "id=staffNumber",
            "--map",
            "firstname=name.given",
            "--map",
            "lastname=name.family",
            "--map",
            "title=title",
            "--map",
            "email=email",
            "--map",
            "phone=phone",
            "--map",
            "address=address.street",
            "--map",
            "city=address.city",
            "--map",
            "state=address.region",
            "--map",
            "postalcode=address.postalCode",
            "--map",
            "country=address.country",
            "--map",
            "birthdate=bornOn",
            "--map",
            "hiredate=hiredOn",
            "--map",
            "reports_to=reportsTo.staffNumber",
        ],
    )
    .await;
    assert_eq!(employees["created"], 8, "{employees:#}");
    let customers = import(
        server,
        "person",
        "chinook_customers.csv",
        &[
            "--map",
            "id=customerNumber",
            "--map",
            "firstname=name.given",
            "--map",
            "lastname=name.family",
            "--map",
            "email=emails",
            "--map",
            "phone=phones",
            "--map",
            "fax=fax",
            "--map",
            "company=company.name",
            "--map",
            "address=address.street",
            "--map",
            "city=address.city",
            "--map",
            "state=address.region",
            "--map",
            "postalcode=address.postalCode",
            "--map",
            "country=address.country",
            "--map",
            "support_rep=supportRep.staffNumber",
        ],
    )
    .await;
    assert_eq!(customers["created"], 59, "{customers:#}");
    let invoices = import(
        server,
        "invoice",
        "chinook_invoices.csv",
        &[
            "--map",
            "id=chinookNumber",
            "--map",
            "customer=customer.customerNumber",
            "--map",
            "invoicedate=invoicedOn",
            "--map",
            "billingaddress=billingAddress.street",
            "--map",
            "billingcity=billingAddress.city",
            "--map",
            "billingstate=billingAddress.region",
            "--map",
            "billingpostalcode=billingAddress.postalCode",
            "--map",
            "billingcountry=billingAddress.country",
            "--map",
            "total=total",
        ],
    )
    .await;
    assert_eq!(invoices["created"], 412, "{invoices:#}");
    let lines = import(
        server,
        "invoiceLine",
        "chinook_invoice_lines.csv",
        &[
            "--map",
            "id=lineNumber",
            "--map",
            "invoice=invoice.chinookNumber",
            "--map",
            "track=track",
            "--map",
            "quantity=quantity",
            "--map",
            "unit_price=unitPrice",
        ],
    )
    .await;
    assert_eq!(lines["created"], 2240, "{lines:#}");
}

scenario!(
    the_chinook_company_is_imported_whole_and_read_nested,
    |server: Server| async move {
        import_chinook(&server).await;

        let customer = server
        .data(
            r#"{ people(first: 1, where: {customerNumber: {eq: 1}}) { nodes {
                name { full given family } company { name } phones { primary { e164 typed } }
                supportRep { name { full } reportsTo { name { full } } }
                invoices(first: 20) { totalCount nodes { number total { amount } lines(first: 30) { nodes { quantity unitPrice { amount currency } } } } } } } }"#,
        )
        .await;
        let customer = &customer["people"]["nodes"][0];
        assert_eq!(
            customer["name"],
            json!({"full": "Luís Gonçalves", "given": "Luís", "family": "Gonçalves"})
        );
        assert_eq!(
            customer["company"]["name"],
            "Embraer - Empresa Brasileira de Aeronáutica S.A."
        );
        assert_eq!(
            customer["phones"]["primary"],
            json!({"e164": "+551239235555", "typed": "+55 (12) 3923-5555"})
        );
        assert_eq!(
            customer["supportRep"]["reportsTo"]["name"]["full"],
            "Nancy Edwards"
        );
        for invoice in customer["invoices"]["nodes"].as_array().unwrap() {
            let lines: i64 = invoice["lines"]["nodes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|line| {
                    cents(&line["unitPrice"]["amount"]) * line["quantity"].as_i64().unwrap()
                })
                .sum();
            assert_eq!(lines, cents(&invoice["total"]["amount"]), "{invoice:#}");
        }

        let employees = server
        .data(
            "{ employees(first: 10, orderBy: [{staffNumber: ASC}]) { nodes { name { full } customers(first: 30) { nodes { invoices(first: 10) { totalCount nodes { total { amount } } } } } } } }",
        )
        .await;
        let (mut count, mut sum) = (0, 0);
        for employee in employees["employees"]["nodes"].as_array().unwrap() {
            for customer in employee["customers"]["nodes"].as_array().unwrap() {
                count += customer["invoices"]["totalCount"].as_i64().unwrap();
                for invoice in customer["invoices"]["nodes"].as_array().unwrap() {
                    sum += cents(&invoice["total"]["amount"]);
                }
            }
        }
        assert_eq!((count, sum), (412, 232_860));
    }
);

scenario!(
    listed_companies_are_found_by_chinese_and_accented_parts,
    |server: Server| async move {
        server
            .relata(&["apply", &data("chinook.yaml")])
            .await
            .unwrap();
        let report = import(
            &server,
            "company",
            "listed_companies.csv",
            &[
                "--map",
                "symbol=symbol",
                "--map",
                "name=name",
                "--map",
                "index=index",
                "--map",
                "member_since=memberSince",
            ],
        )
        .await;
        assert_eq!(report["created"], 1303, "{report:#}");
        for (part, name) in [
            ("平安银", "平安银行"),
            ("万科a", "万科Ａ"),
            ("estee laud", "Estée Lauder Companies (The)"),
            ("ESTÉE", "Estée Lauder Companies (The)"),
        ] {
            let found = server
            .graphql("query($p: String!) { companies(where: {name: {iContains: $p}}) { nodes { name } } }", json!({"p": part}))
            .await
            .data();
            assert_eq!(
                found["companies"]["nodes"],
                json!([{"name": name}]),
                "{part}"
            );
        }
        assert_eq!(
            server.data("{ companies { totalCount } }").await["companies"]["totalCount"],
            1303
        );
    }
);

scenario!(
    bad_rows_are_named_by_line_and_column_and_nothing_is_written,
    |server: Server| async move {
        let file = server.folder.path().join("people.csv");
        std::fs::write(
        &file,
        "name,email,birthday,employer\nAda,ada@example.com,1815-12-10,\nBad Mail,nonsense,1990-01-01,\nBad Day,day@example.com,1990-02-31,\nNo Firm,firm@example.com,,Nowhere Ltd\n",
    )
    .unwrap();
        let file = file.to_string_lossy().into_owned();
        let options = [
            "--map",
            "name=name",
            "--map",
            "email=emails",
            "--map",
            "birthday=birthday",
            "--map",
            "employer=company.name",
        ];
        let mut arguments = vec!["import", "person", &file];
        arguments.extend(options);
        let failure = server.relata(&arguments).await.unwrap_err().to_string();
        for part in [
            "3",
            "email",
            "4",
            "birthday",
            "5",
            "employer",
            "Nowhere Ltd",
        ] {
            assert!(failure.contains(part), "{part} is missing in:\n{failure}");
        }
        assert_eq!(
            server.data("{ people { totalCount } }").await["people"]["totalCount"],
            0
        );

        arguments.push("--partial");
        let _ = server.relata(&arguments).await;
        let kept = server.data("{ people { nodes { label } } }").await;
        assert_eq!(kept["people"]["nodes"], json!([{"label": "Ada"}]));
    }
);

/// The newest job, when it has ended.
async fn ended(server: &Server) -> Value {
    let start = std::time::Instant::now();
    loop {
        let jobs = "{ jobs(first: 1) { id state counts } }";
        let data = server.metadata(jobs, json!({})).await.data();
        if data["jobs"][0]["state"] == "DONE" {
            return data;
        }
        assert!(start.elapsed().as_secs() < 30, "still not so: {data:#}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

scenario!(
    an_import_goes_on_after_a_kill_and_no_row_comes_twice,
    |server: Server| async move {
        const ROWS: u64 = 10_000;
        let file = server.folder.path().join("firms.csv");
        let mut csv = String::from("name\n");
        for number in 0..ROWS {
            csv.push_str(&format!("Firm {number}\n"));
        }
        std::fs::write(&file, csv).unwrap();
        let file = file.to_string_lossy().into_owned();
        let count = "{ companies { totalCount } }";
        let arguments = ["import", "company", &file, "--partial"];
        let seen = tokio::select! {
            ended = server.relata(&arguments) => panic!("it ended before the kill: {ended:?}"),
            seen = server.wait_until(count, |data| data["companies"]["totalCount"] != 0) => seen,
        };
        let seen = seen["companies"]["totalCount"].as_u64().unwrap();
        assert!(seen < ROWS, "it had ended before the kill");
        let folder = server.kill().await.unwrap();
        let server = Server::start_on(folder).await.unwrap();
        // What was there stayed, and it goes on at once.
        let begun = server.data(count).await["companies"]["totalCount"].as_u64();
        assert!((seen..=ROWS).contains(&begun.unwrap()), "{begun:?}");
        server
            .wait_until(count, |data| data["companies"]["totalCount"] == ROWS)
            .await;
        let job = ended(&server).await;
        let counts = &job["jobs"][0]["counts"];
        assert_eq!(
            (&counts["created"], &counts["done"]),
            (&json!(ROWS), &json!(ROWS)),
            "{counts:#}"
        );

        let job = job["jobs"][0]["id"].as_str().unwrap();
        let undone = server
            .relata(&["undo-import", job, "--destroy", "--json"])
            .await
            .unwrap();
        assert!(undone.contains("10000"), "{undone}");
        assert_eq!(server.data(count).await["companies"]["totalCount"], 0);
    }
);

scenario!(
    what_the_command_line_exports_it_imports_again,
    |server: Server| async move {
        server
            .relata(&["apply", &data("chinook.yaml")])
            .await
            .unwrap();
        let listed = data("listed_companies.csv");
        let mut arguments = vec!["import", "company", &listed];
        arguments.extend(["--map", "symbol=symbol", "--map", "name=name"]);
        server.relata(&arguments).await.unwrap();
        for format in ["csv", "xlsx", "jsonl"] {
            let file = server.folder.path().join(format!("companies.{format}"));
            let file = file.to_string_lossy().into_owned();
            server
                .relata(&["export", "company", "--format", format, "-o", &file])
                .await
                .unwrap();
            let report = import(
                &server,
                "company",
                &file,
                &["--action", "upsert", "--on", "id"],
            )
            .await;
            assert_eq!(
                (&report["unchanged"], &report["errorCount"]),
                (&json!(1_303), &json!(0)),
                "{format} {report:#}"
            );
        }
        let some = server
            .relata(&[
                "export",
                "company",
                "--where",
                r#"{"name": {"eq": "平安银行"}}"#,
                "--fields",
                "symbol",
                "name",
            ])
            .await
            .unwrap();
        assert_eq!(some, "symbol,name\nSZ000001,平安银行\n");
        let wrong = server
            .relata(&["export", "company", "--where", r#"{"nam": {"eq": 1}}"#])
            .await
            .unwrap_err();
        assert!(wrong.to_string().contains("where.nam"), "{wrong}");
    }
);

fn cents(amount: &Value) -> i64 {
    amount.as_str().unwrap().replace('.', "").parse().unwrap()
}
