use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::{Connection, types::ValueRef};
use std::collections::HashMap;
use std::time::Instant;

struct Fold;
#[derive(Default)]
struct State {
    map: HashMap<Vec<u8>, [i64; 4]>,
    key: Vec<u8>,
}
impl Aggregate<State, Option<String>> for Fold {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<State> {
        Ok(State::default())
    }
    fn step(&self, c: &mut Context<'_>, s: &mut State) -> rusqlite::Result<()> {
        s.key.clear();
        for i in 0..3 {
            match c.get_raw(i) {
                ValueRef::Null => s.key.push(0),
                ValueRef::Text(t) => {
                    s.key.push(1);
                    s.key.extend((t.len() as u32).to_le_bytes());
                    s.key.extend(t);
                }
                ValueRef::Blob(t) => {
                    s.key.push(2);
                    s.key.extend((t.len() as u32).to_le_bytes());
                    s.key.extend(t);
                }
                ValueRef::Integer(n) => {
                    s.key.push(3);
                    s.key.extend(n.to_le_bytes());
                }
                ValueRef::Real(_) => {}
            }
        }
        let amount = match c.get_raw(3) {
            ValueRef::Integer(n) => Some(n),
            _ => None,
        };
        let e = match s.map.get_mut(&s.key[..]) {
            Some(e) => e,
            None => {
                s.map.insert(s.key.clone(), [0; 4]);
                s.map.get_mut(&s.key[..]).unwrap()
            }
        };
        e[0] += 1;
        if let Some(a) = amount {
            e[1] += 1;
            e[2] += a;
            e[3] = e[3].max(a);
        }
        Ok(())
    }
    fn finalize(&self, _: &mut Context<'_>, s: Option<State>) -> rusqlite::Result<Option<String>> {
        Ok(s.map(|s| format!("{:?}", s.map.values().collect::<Vec<_>>())))
    }
}

fn main() {
    let c = Connection::open("/tmp/proto.db").unwrap();
    c.execute_batch(
        "pragma journal_mode=wal; pragma mmap_size=1000000000; pragma cache_size=-16000",
    )
    .unwrap();
    c.execute_batch("create table if not exists d(id blob primary key, v integer, ca integer, ua integer, da integer, cb text, ub text, ow blob, name text, nf text, a integer, cur text, close text, sp text, st text, sn integer, co blob) strict").unwrap();
    let n: i64 = c
        .query_row("select count(*) from d", [], |r| r.get(0))
        .unwrap();
    if n == 0 {
        c.execute_batch("with recursive s(i) as (select 1 union all select i+1 from s where i<200000) insert into d select randomblob(16),1,i,i,null,'user/0190000000000000000000','user/00000000000000000000',null,'Deal '||i,'deal '||i,10000+(i%9900)*100,case i%3 when 0 then 'EUR' when 1 then 'USD' else 'JPY' end,'2027-03-31','relata/sales','relata/'||case i%4 when 0 then 'new' when 1 then 'qualified' when 2 then 'proposal' else 'negotiation' end,i,randomblob(16) from s; create index dd on d(sp,st);").unwrap();
    }
    c.create_aggregate_function(
        "fold",
        4,
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC,
        Fold,
    )
    .unwrap();
    for (name, sql) in [
        (
            "floor",
            "select st, cur, count(*), sum(a) from d where da is null group by 1,2 order by 1,2",
        ),
        (
            "three keys",
            "select sp, st, cur, count(*), sum(a) from d where da is null group by 1,2,3",
        ),
        (
            "halves",
            "select k0,k1,m1,count(*),count(m0),sum(m0/1000000000),sum(m0%1000000000) from (select sp k0, st k1, a m0, cur m1 from d where da is null) group by k0,k1,m1",
        ),
        (
            "halves, stage first",
            "select k0,k1,m1,count(*),count(m0),sum(m0/1000000000),sum(m0%1000000000) from (select sp k0, st k1, a m0, cur m1 from d where da is null) group by k1,m1,k0",
        ),
        (
            "one count",
            "select k0,k1,m1,count(m0),sum(m0/1000000000),sum(m0%1000000000) from (select sp k0, st k1, a m0, cur m1 from d where da is null) group by k0,k1,m1",
        ),
        (
            "fold",
            "select fold(sp, st, cur, a) from d where da is null",
        ),
        (
            "scan",
            "select max(a),max(cur),max(st),max(sp) from d where da is null",
        ),
    ] {
        let mut s = c.prepare(sql).unwrap();
        let mut best = f64::MAX;
        for _ in 0..7 {
            let t = Instant::now();
            let mut rows = s.query([]).unwrap();
            let mut n = 0;
            while let Some(_) = rows.next().unwrap() {
                n += 1;
            }
            best = best.min(t.elapsed().as_secs_f64() * 1e3);
            assert!(n > 0);
        }
        println!("{name}: {best:.1} ms");
    }
}
