//! The steps about requests and time.

use crate::commands::bench::baseline;
use crate::commands::bench::baseline::{Baseline, Pattern};
use crate::commands::bench::report::Row;
use crate::commands::bench::run::{Bench, each, seconds};
use crate::scenarios::{FUNCTION, Fleet, RequestCounts, edits, restarts};
use anyhow::Result;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

impl Bench {
    /// Creates all Functions, several times, beside the baseline client.
    pub(super) async fn create(&mut self) -> Result<()> {
        let number = self.settings.number;
        let namespace = self.namespace("pattern").await?;
        let pattern = Pattern::learn(&self.env, &namespace).await?;
        self.delete_namespace(&namespace).await?;
        let mut pairs = Vec::new();
        for round in 0..self.settings.rounds {
            // The order alternates.
            let (ours, baseline) = if round % 2 == 0 {
                let ours = self.round(round).await?;
                (ours, self.baseline(round, &pattern).await?)
            } else {
                let baseline = self.baseline(round, &pattern).await?;
                (self.round(round).await?, baseline)
            };
            pairs.push((ours, baseline));
        }
        let ratio = |ours: fn(&RequestCounts) -> Duration, baseline: fn(&Baseline) -> Duration| {
            median(
                pairs
                    .iter()
                    .map(|pair| ours(&pair.0).as_secs_f64() / baseline(&pair.1).as_secs_f64().max(0.001)),
            )
        };
        let (children, last) =
            (ratio(|t| t.children, |f| f.children), ratio(|t| t.last_write, |f| f.last_write));
        let cpu = median(pairs.iter().map(|(counts, _)| per_thousand(counts.cpu, number)));
        let time = |of: &dyn Fn(&(RequestCounts, Baseline)) -> Duration| {
            format!("{:.1} s", median(pairs.iter().map(|p| of(p).as_secs_f64())))
        };
        let Some((counts, _)) = pairs.last() else { return Ok(()) };
        let status = counts.count("patch functions/status");
        let verbs = format!(
            "{} ({} StatefulSet, {} Service, {} status; {} reads)",
            each(counts.direct(), number),
            each(counts.count("patch statefulsets"), number),
            each(counts.count("patch services"), number),
            each(status, number),
            counts.verb("get") + counts.verb("list"),
        );
        let real = usize::try_from(counts.real())?;
        let most = pairs.iter().map(|(counts, _)| counts.direct()).max().unwrap_or_default();
        let refused: usize = pairs.iter().flat_map(|(counts, _)| counts.refused.values()).sum();
        self.add(
            Row::new(format!("create {number} Functions: requests each"), verbs)
                .baseline("3")
                .goal("<= 4", most <= 4 * number)
                .go("8 (6 status PUTs)", "8"),
        );
        self.add(
            Row::new("... requests that failed", refused.to_string()).baseline("0").goal("0", refused == 0),
        );
        self.add(
            Row::new("... etcd writes each", each(real, number))
                .baseline("3")
                .goal("<= 4", real <= 4 * number)
                .go("5", "5"),
        );
        let with = |ours: String, ratio: f64| format!("{ours} ({ratio:.2} x baseline)");
        self.add(
            Row::new(
                "... until every StatefulSet and Service exists",
                with(time(&|p| p.0.children), children),
            )
            .baseline(time(&|p| p.1.children))
            .goal("<= 1.5 x baseline", children <= 1.5)
            .go("101 s", "25 s"),
        );
        self.add(
            Row::new("... until the last write", with(time(&|p| p.0.last_write), last))
                .baseline(time(&|p| p.1.last_write))
                .goal("<= 1.5 x baseline", last <= 1.5)
                .go("301 s", "41 s"),
        );
        self.add(
            Row::new("... CPU of the controller per 1000", format!("{cpu:.2} s"))
                .goal("<= 3 s", cpu <= 3.0)
                .go("15.7 s", "9.0 s"),
        );
        Ok(())
    }

    async fn round(&self, round: usize) -> Result<RequestCounts> {
        let namespace = self.namespace(&format!("ours-{round}")).await?;
        let fleet = Fleet::start(&self.env, &namespace, &FUNCTION, self.settings.number).await?;
        let counts = restarts::create(&fleet).await?;
        drop(fleet);
        self.delete_namespace(&namespace).await?;
        Ok(counts)
    }

    async fn baseline(&self, round: usize, pattern: &Pattern) -> Result<Baseline> {
        let namespace = self.namespace(&format!("baseline-{round}")).await?;
        let baseline = baseline::run(&self.env, &namespace, self.settings.number, pattern).await?;
        self.delete_namespace(&namespace).await?;
        Ok(baseline)
    }

    /// Changes of Functions after their creation.
    pub(super) async fn life(&mut self) -> Result<()> {
        let number = self.settings.number;
        let namespace = self.namespace("life").await?;
        let mut fleet = Fleet::start(&self.env, &namespace, &FUNCTION, number).await?;
        restarts::create(&fleet).await?;
        self.restarts(&mut fleet).await?;

        let mut edited = 0;
        for patch in
            [json!({"metadata": {"labels": {"a": "b"}}}), json!({"metadata": {"annotations": {"a": "b"}}})]
        {
            edited += edits::edit(&fleet, &patch).await?.writes();
        }
        self.add(none("annotation or label edit of each: writes each", edited, number).go("2", "2"));
        let status = edits::edit_status(&fleet).await?.writes();
        self.add(none("status edited by another field manager: writes each", status, number));
        let repeated = edits::repeat(&fleet, &FUNCTION.spec()).await?.writes();
        self.add(none("unchanged spec applied again: writes each", repeated, number));

        let image = edits::image(&fleet, "example.com/image:2").await?;
        let met = image.count("patch services") == 0 && image.count("patch statefulsets") == number;
        let row = Row::new("image change: requests each", rolled_out(&image, number)).baseline("2");
        self.add(row.goal("<= 3", met && image.direct() <= 3 * number).go("8 (1 needless Service PUT)", "8"));
        self.backend_config(&fleet).await?;
        self.idle(&mut fleet).await?;

        let deleted = restarts::delete(&fleet).await?.writes();
        self.add(
            Row::new(format!("delete {number}: requests"), deleted.to_string())
                .baseline("0")
                .goal("0", deleted == 0)
                .go("0", "0"),
        );
        drop(fleet);
        self.delete_namespace(&namespace).await
    }

    async fn restarts(&mut self, fleet: &mut Fleet) -> Result<()> {
        let number = fleet.number();
        let restart = restarts::restart(fleet).await?;
        let text = format!(
            "{} writes; {} lists, {} watches; {}",
            restart.writes(),
            restart.verb("list"),
            restart.verb("watch"),
            seconds(restart.drained)
        );
        let met = restart.writes() == 0 && restart.real() == 0 && restart.drained <= Duration::from_secs(5);
        self.add(
            Row::new(format!("restart with {number}: writes; reads; until idle"), text)
                .goal("0; <= 5 s", met)
                .go("2000 (no-op PUTs); 116 s", "2000; 22 s"),
        );
        self.add(Row::new("... CPU", format!("{:.2} s", restart.cpu.as_secs_f64())));
        let (relist, watches) = restarts::relist(fleet).await?;
        let text = format!("{}; {} lists of {watches} kinds", relist.writes(), relist.verb("list"));
        self.add(
            Row::new("forced relist (410) of every watch: writes", text).goal("0", relist.writes() == 0),
        );
        let resync = restarts::resync(fleet).await?.writes();
        self.add(none("resync of unchanged objects: writes each", resync, number));
        Ok(())
    }

    async fn backend_config(&mut self, fleet: &Fleet) -> Result<()> {
        let number = fleet.number();
        edits::backend_config(fleet, "A", "1").await?;
        let touched = edits::touch_backend_config(fleet).await?.writes();
        self.add(none("BackendConfig, metadata touched: writes each", touched, number).go("4", "4"));
        let value = edits::change_backend_config(fleet, "A", "2").await?;
        let sets = value.count("patch statefulsets");
        self.add(
            Row::new(
                "BackendConfig, value of a variable changed: StatefulSets updated",
                format!("{sets} of {number}"),
            )
            .baseline(format!("{number} of {number}"))
            .goal("all", sets == number)
            .go("0 of 300 (status rewritten 4 times each)", "0 of 300"),
        );
        let added = edits::change_backend_config(fleet, "B", "1").await?;
        let sets = added.count("patch statefulsets");
        let text = rolled_out(&added, number);
        self.add(
            Row::new("BackendConfig, variable added: requests each", text)
                .baseline("1")
                .goal("1 StatefulSet, <= 2 status", sets == number && added.direct() <= 3 * number)
                .go("7", "7"),
        );
        Ok(())
    }

    /// An idle controller that holds a lease, for some minutes.
    async fn idle(&mut self, fleet: &mut Fleet) -> Result<()> {
        fleet.flags.retain(|flag| flag != "--leader-elect=false");
        fleet.flags.push(format!("--lease-namespace={}", crate::operator::NAMESPACE));
        fleet.replace(None).await?;
        fleet.until_reconciled(0, fleet.number()).await?;
        let (cpu, mark) = (fleet.controller.cpu()?, self.env.mark().await?);
        // The measured period, in which nothing should happen.
        tokio::time::sleep(Duration::from_secs(self.settings.idle)).await;
        let cpu = fleet.controller.cpu()?.saturating_sub(cpu);
        let audit = self.env.audit_since(&mark)?.by(&fleet.controller.user);
        let count =
            |keep: fn(&crate::testing::audit::Request) -> bool| audit.clone().only(keep).requests().len();
        let hour = |number: f64| number * 3600.0 / Duration::from_secs(self.settings.idle).as_secs_f64();
        let whole = |number: usize| hour(f64::from(u32::try_from(number).unwrap_or(u32::MAX)));
        // Most watches outlast the measurement: their requested duration counts then.
        let seen = whole(count(|r| r.verb == "watch"));
        let all = self.env.audit()?.by(&fleet.controller.user).only(|r| r.verb == "watch");
        // Once for each cache: a restarted watch was counted already.
        let lasting: BTreeMap<String, u32> =
            all.requests().iter().filter_map(|r| Some((r.resource(), r.lasts()?))).collect();
        let by_rule: f64 = lasting.values().map(|seconds| 3600.0 / f64::from(*seconds)).sum();
        let watches = seen.max(by_rule);
        let leases = whole(count(|r| r.resource() == "leases" && r.verb != "get"));
        let others = count(|r| r.verb != "watch" && r.resource() != "leases");
        let cpu = hour(cpu.as_secs_f64());
        let goal = "<= 75 / 720 / 2 s; no other";
        let met = watches <= 75.0 && leases <= 720.0 * 1.1 && cpu <= 2.0 && others == 0;
        let text = format!("{watches:.0} / {leases:.0} / {cpu:.1} s; {others} other requests");
        let what = format!(
            "idle hour with {} (from {} s): re-watches / lease writes / CPU",
            fleet.number(),
            self.settings.idle
        );
        self.add(Row::new(what, text).goal(goal, met).go("119 / 1791 / 8.7 s", ""));
        Ok(())
    }

    /// Functions are created and deleted: nothing of them may remain.
    pub(super) async fn churn(&mut self) -> Result<()> {
        const TIMES: usize = 5;
        let number = self.settings.number / 2;
        let namespace = self.namespace("churn").await?;
        let fleet = Fleet::start(&self.env, &namespace, &FUNCTION, number).await?;
        let mut sizes = Vec::new();
        for _ in 0..TIMES {
            restarts::create(&fleet).await?;
            restarts::delete(&fleet).await?;
            sizes.push((fleet.controller.get("metrics")?.len(), fleet.controller.memory()?.resident));
        }
        drop(fleet);
        self.delete_namespace(&namespace).await?;
        let (Some(first), Some(last)) = (sizes.first(), sizes.last()) else { return Ok(()) };
        let text = format!("{} -> {} bytes; {} -> {} KiB of memory", first.0, last.0, first.1, last.1);
        // A counter with another digit is no growth, nor is the free memory of the allocator.
        let met = last.0 <= first.0 + first.0 / 20 && last.1 <= first.1 + first.1 / 10;
        self.add(
            Row::new(
                format!("create + delete {TIMES} x {number}: size of /metrics after the first and the last"),
                text,
            )
            .goal("flat", met)
            .go("", "0.5 -> 2.5 MB, never shrinks"),
        );
        Ok(())
    }
}

fn none(what: &str, writes: usize, number: usize) -> Row {
    Row::new(what, each(writes, number)).baseline("0").goal("0", writes == 0)
}

fn rolled_out(counts: &RequestCounts, number: usize) -> String {
    format!(
        "{} ({} StatefulSet, {} Service, {} status)",
        each(counts.direct(), number),
        each(counts.count("patch statefulsets"), number),
        each(counts.count("patch services"), number),
        each(counts.count("patch functions/status"), number),
    )
}

#[allow(clippy::cast_precision_loss, reason = "small numbers")]
fn per_thousand(cpu: Duration, number: usize) -> f64 {
    cpu.as_secs_f64() * 1000.0 / number as f64
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
