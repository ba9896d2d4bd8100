//! The Erlang formulas: loss (B), waiting (C), and waiting with abandonment (A, Palm; M/M/n+M).
//!
//! All rates are per the same unit of time, which is also the unit of the times given back.

/// Erlang B: share of calls lost with `servers` and `offered` Erlang, by the recurrence on 1/B
/// (numerically stable; underflow to 0 is the right limit).
pub fn erlang_b(offered: f64, servers: u32) -> f64 {
    if offered <= 0.0 {
        return if servers == 0 { 1.0 } else { 0.0 };
    }
    let mut inverse = 1.0_f64;
    for k in 1..=servers {
        inverse = 1.0 + inverse * f64::from(k) / offered;
        if inverse.is_infinite() {
            return 0.0;
        }
    }
    1.0 / inverse
}

/// M/M/n without abandonment. Unstable (`offered >= servers`) has everybody waiting for ever.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErlangC {
    servers: f64,
    offered: f64,
    service_time: f64,
    /// Share of calls that wait.
    pub p_wait: f64,
}

impl ErlangC {
    /// `arrival_rate` calls per unit of time, `service_time` units each.
    pub fn new(arrival_rate: f64, service_time: f64, servers: u32) -> Self {
        let offered = arrival_rate * service_time;
        let n = f64::from(servers);
        let p_wait = if offered >= n {
            1.0
        } else {
            let b = erlang_b(offered, servers);
            b / (1.0 - offered / n * (1.0 - b))
        };
        Self {
            servers: n,
            offered,
            service_time,
            p_wait,
        }
    }

    pub fn occupancy(&self) -> f64 {
        (self.offered / self.servers).min(1.0)
    }

    /// Average speed of answer over all calls.
    pub fn mean_wait(&self) -> f64 {
        if self.offered >= self.servers {
            return f64::INFINITY;
        }
        self.p_wait * self.service_time / (self.servers - self.offered)
    }

    /// Share of calls answered within `target`.
    pub fn service_level(&self, target: f64) -> f64 {
        if self.offered >= self.servers {
            return 0.0;
        }
        let rate = (self.servers - self.offered) / self.service_time;
        1.0 - self.p_wait * (-rate * target).exp()
    }

    pub fn mean_queue(&self) -> f64 {
        self.mean_wait() * self.offered / self.service_time
    }
}

/// M/M/n+M: exponential patience. Stable for every load as long as somebody loses patience.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErlangA {
    arrival_rate: f64,
    drain_rate: f64,
    theta: f64,
    /// Probability of exactly all servers busy and nobody waiting.
    p_full: f64,
    /// Share of calls that do not get an agent at once.
    pub p_wait: f64,
    pub mean_queue: f64,
}

/// Terms after which the series of Erlang A is cut when it has not converged; reached only with
/// loads of many millions, where the relative error is then still tiny.
const SERIES_MAX: u32 = 50_000_000;
/// Panels of the quadrature over the virtual wait.
const PANELS: u32 = 64;

impl ErlangA {
    /// `patience` is the mean time until a caller gives up; must be positive and finite.
    pub fn new(arrival_rate: f64, service_time: f64, patience: f64, servers: u32) -> Self {
        let theta = 1.0 / patience;
        let drain_rate = f64::from(servers) / service_time;
        let b = erlang_b(arrival_rate * service_time, servers);
        let (mut term, mut sum, mut weighted) = (1.0_f64, 0.0_f64, 0.0_f64);
        for k in 1..SERIES_MAX {
            let rate = drain_rate + f64::from(k) * theta;
            term *= arrival_rate / rate;
            sum += term;
            weighted += f64::from(k) * term;
            // Beyond the peak the ratio only falls: stop when the rest cannot matter.
            if rate > arrival_rate && term * f64::from(k) < 1e-17 * (1.0 + weighted) {
                break;
            }
        }
        let below = if b > 0.0 {
            (1.0 - b) / b
        } else {
            f64::INFINITY
        };
        let p_full = 1.0 / (below + 1.0 + sum);
        Self {
            arrival_rate,
            drain_rate,
            theta,
            p_full,
            p_wait: p_full * (1.0 + sum),
            mean_queue: p_full * weighted,
        }
    }

    pub fn p_abandon(&self) -> f64 {
        self.theta * self.mean_queue / self.arrival_rate
    }

    /// Over all calls, those who abandon included.
    pub fn mean_wait(&self) -> f64 {
        self.mean_queue / self.arrival_rate
    }

    pub fn occupancy(&self) -> f64 {
        self.arrival_rate * (1.0 - self.p_abandon()) / self.drain_rate
    }

    /// Density of the virtual wait (what a caller of endless patience would wait) at `x > 0`.
    fn density(&self, x: f64) -> f64 {
        let arrivals = self.arrival_rate / self.theta * -(-self.theta * x).exp_m1();
        self.p_full * self.drain_rate * (arrivals - self.drain_rate * x).exp()
    }

    /// Share of all calls answered within `target`.
    pub fn served_within(&self, target: f64) -> f64 {
        1.0 - self.p_wait + integrate(target, |x| self.density(x) * (-self.theta * x).exp())
    }

    /// Share of all calls abandoned within `target`.
    pub fn abandoned_within(&self, target: f64) -> f64 {
        let gone_before = integrate(target, |x| self.density(x) * -(-self.theta * x).exp_m1());
        let still_waiting = self.p_wait - integrate(target, |x| self.density(x));
        gone_before + still_waiting * -(-self.theta * target).exp_m1()
    }
}

/// Composite Gauss-Legendre quadrature (5 points) over `0..to`.
fn integrate(to: f64, f: impl Fn(f64) -> f64) -> f64 {
    const NODES: [(f64, f64); 5] = [
        (0.0, 0.568_888_888_888_888_9),
        (-0.538_469_310_105_683_1, 0.478_628_670_499_366_47),
        (0.538_469_310_105_683_1, 0.478_628_670_499_366_47),
        (-0.906_179_845_938_664, 0.236_926_885_056_189_08),
        (0.906_179_845_938_664, 0.236_926_885_056_189_08),
    ];
    let half = to / f64::from(PANELS) / 2.0;
    let mut sum = 0.0;
    for panel in 0..PANELS {
        let middle = half * f64::from(2 * panel + 1);
        for (x, weight) in NODES {
            sum += weight * f(middle + half * x);
        }
    }
    sum * half
}

/// Mean and variance of the time until a caller with `ahead` others before reaches an agent, all
/// agents busy: a sum of exponential steps with rates `drain + i * theta`, `i = 0..=ahead`.
/// Exact for the first steps, then the integral (error under 1e-4 of the tail).
pub fn time_to_front(ahead: u32, drain: f64, theta: f64) -> (f64, f64) {
    const EXACT: u32 = 64;
    let (mut mean, mut variance) = (0.0, 0.0);
    for i in 0..=ahead.min(EXACT) {
        let step = 1.0 / (drain + f64::from(i) * theta);
        mean += step;
        variance += step * step;
    }
    if ahead > EXACT {
        let from = drain + (f64::from(EXACT) + 0.5) * theta;
        let steps = f64::from(ahead - EXACT);
        if theta > 0.0 {
            let to = drain + (f64::from(ahead) + 0.5) * theta;
            mean += (steps * theta / from).ln_1p() / theta;
            variance += (1.0 / from - 1.0 / to) / theta;
        } else {
            mean += steps / drain;
            variance += steps / (drain * drain);
        }
    }
    (mean, variance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// Rows of a golden table as numbers; fails when the shared folder is not there, unless told not to.
    fn golden(name: &str) -> Option<Vec<Vec<f64>>> {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../../../shared/golden/erlang")
            .join(name);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(_) if std::env::var_os("CP_NO_SHARED").is_some() => return None,
            Err(e) => panic!(
                "golden table {name} is missing beside the repository ({e}); set CP_NO_SHARED=1 to go without"
            ),
        };
        let rows = text
            .lines()
            .skip(1)
            .map(|l| l.split(',').map(|c| c.parse().unwrap()).collect())
            .collect::<Vec<Vec<f64>>>();
        assert!(rows.len() > 10, "{name} has rows");
        Some(rows)
    }

    #[track_caller]
    fn close(got: f64, want: f64, relative: f64) {
        let error = (got - want).abs() / want.abs().max(f64::MIN_POSITIVE);
        assert!(error <= relative, "got {got}, want {want}, error {error:e}");
    }

    #[test]
    fn erlang_b_is_golden() {
        for row in golden("erlang_b.csv").unwrap_or_default() {
            close(erlang_b(row[0], row[1] as u32), row[2], 1e-12);
        }
    }

    #[test]
    fn erlang_c_is_golden() {
        for row in golden("erlang_c.csv").unwrap_or_default() {
            let c = ErlangC::new(row[0] / 3_600.0, row[1], row[2] as u32);
            close(c.p_wait, row[6], 1e-10);
            close(c.service_level(row[3]), row[7], 1e-10);
            close(c.mean_wait(), row[8], 1e-10);
            close(c.mean_queue(), row[9], 1e-10);
            close(c.occupancy(), row[10], 1e-10);
        }
    }

    #[test]
    fn erlang_a_is_golden() {
        for row in golden("erlang_a.csv").unwrap_or_default() {
            let a = ErlangA::new(row[0] / 3_600.0, row[1], row[2], row[3] as u32);
            close(a.p_wait, row[6], 1e-9);
            close(a.p_abandon(), row[7], 1e-9);
            close(a.mean_wait(), row[8], 1e-9);
            close(a.mean_queue, row[9], 1e-9);
            close(a.occupancy(), row[10], 1e-9);
            close(a.served_within(row[4]), row[11], 1e-9);
            close(a.abandoned_within(row[4]), row[12], 1e-9);
        }
    }

    #[test]
    fn odd_loads_have_the_right_limits() {
        assert_eq!(erlang_b(0.0, 3), 0.0);
        assert_eq!(erlang_b(0.0, 0), 1.0);
        assert_eq!(erlang_b(5.0, 0), 1.0);
        assert_eq!(erlang_b(1e-9, 10_000), 0.0);
        let unstable = ErlangC::new(10.0, 1.0, 5);
        assert_eq!((unstable.p_wait, unstable.service_level(60.0)), (1.0, 0.0));
        assert!(unstable.mean_wait().is_infinite());
        let idle = ErlangA::new(1e-6, 60.0, 60.0, 500);
        assert!(idle.p_wait < 1e-12 && idle.served_within(20.0) > 0.999_999);
    }

    #[test]
    fn the_time_to_front_is_the_plain_sum() {
        for (ahead, drain, theta) in [
            (0, 0.5, 0.01),
            (10, 0.2, 0.005),
            (5_000, 0.3, 0.01),
            (100_000, 2.0, 0.0),
            (90_000, 4.0, 0.001),
        ] {
            let steps = (0..=ahead).map(|i| 1.0 / (drain + f64::from(i) * theta));
            let (mean, variance) = time_to_front(ahead, drain, theta);
            close(mean, steps.clone().sum(), 1e-4);
            close(variance, steps.map(|s| s * s).sum(), 1e-4);
        }
    }
}
