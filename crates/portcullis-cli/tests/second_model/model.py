"""A second model of the figures of `portcullis tune`, to check the command.

Written from the guide ("Tune it", "Key sets", "Revocation") and the command's help and output, without
knowledge of the command's code. It simulates single sessions and single instances, event by event, and
samples each figure from their histories at random times. Assumptions:

Sessions
  - Bursts and pauses have exponential lengths. Requests in a burst are a Poisson process.
  - A timer refreshes `refresh_early` (at most half the expiry) before the expiry if the session is active
    then, or else at the start of the next burst. A lazy client refreshes with the first request after
    expiry + leeway, and repeats that request with the new token.
  - A token is accepted until expiry + leeway; clocks agree. Only the bound has the leeway twice. For
    `refused_by_skew` alone the instances' clocks are normally distributed; it is the share among requests
    whose token has not expired by the issuer's clock (taken from the output: the guide does not say).
  - An outage does not change when users are active. No refresh succeeds in it.
  - Sessions that log in together are active then, and refresh when the token is due if active. They are
    among the sessions; the others are as without a peak.
Instances
  - An instance fetches its keys when they are between TTL - 2 x `refresh_ahead` and TTL - `refresh_ahead`
    old (uniform), and when a key is rotated. Every fetch starts a new TTL, and takes no time.
  - In an outage keys end at TTL + max_stale, and at once in a restart without kept keys.
  - Each service has instances / fan-out of the instances; a request goes to any one of each service.
Status lists
  - Each instance renews its list at half of the age that routes ask for, or up to a tenth earlier: the
    guide says half, the command's output 95 % of that. Figures that depend on it are a range.
  - Pushed: a request is held for a third of that age in whole seconds, and answered at a revocation.

Usage: model.py SETTINGS SEED, with SETTINGS a JSON file: an array of arrays of the command's arguments.
Prints for each setting an object from JSON pointers into the command's report to [figure, low, high].
"""

import argparse
import json
import math
import random
import sys
from bisect import bisect_left, bisect_right

from figure import Figure, Ratio, quantile

DAY = 86_400.0
# Sampled times per session, and tokens per session that are followed to the instances.
MOMENTS = 20
TOKENS = 4
INSTANCES = 4_000
# The amount of work for one setting. A run takes about 20 s.
EVENTS = 1_200_000
REQUESTS = 200_000


ONE = Figure.exact(1.0)


def seconds(text):
    """`90`, `90s`, `15m`, `24h`."""
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1])
    return float(text[:-1]) * unit if unit else float(text)


def setting(arguments):
    """Parses the command's arguments, with the defaults of its help."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for option in (
        "access-expiry=900 jwks-ttl=300 jwks-max-age=0 refresh-ahead=-1 leeway=10 fetch-timeout=5"
        " max-stale=1h request-every=10 burst=5m pause=25m refresh-early=0 outage=5m clock-skew=2"
        " list-max-age=10 login-within=15m"
    ).split():
        name, default = option.split("=")
        parser.add_argument(f"--{name}", type=seconds, default=default)
    for option in (
        "sessions=10000 instances=10 fan-out=1 revocations-per-day=100 restarted=0 issuer-cores=2"
        " rotations-per-day=0.03333333333333333 live-share=0 list-share=0 login-peak=0"
        " refresh-cost=100 fetch-cost=1200 lookup-cost=900 verify-cost=73.6 hit-cost=0.2"
    ).split():
        name, default = option.split("=")
        parser.add_argument(f"--{name}", type=float, default=default)
    parser.add_argument("--habit", choices=["timer", "lazy"], default="timer")
    parser.add_argument("--kept-keys", action="store_true")
    s = parser.parse_args(arguments)
    s.timer, s.fan_out = s.habit == "timer", int(s.fan_out)
    s.accepted = s.access_expiry + s.leeway
    s.due = s.access_expiry - min(s.refresh_early, s.access_expiry / 2) if s.timer else s.accepted
    s.active = s.burst / (s.burst + s.pause)
    s.validations = s.sessions * s.active / s.request_every * s.fan_out
    s.used_ttl = min(s.jwks_ttl, max(s.jwks_max_age, 10)) if s.jwks_max_age else s.jwks_ttl
    if s.refresh_ahead < 0:
        s.refresh_ahead = min(s.jwks_ttl / 10, 30)
    assert 2 * s.refresh_ahead < s.used_ttl, "the guide does not define renewal for a TTL below twice the refresh lead"
    for cost in ("refresh", "fetch", "lookup", "verify", "hit"):
        setattr(s, f"{cost}_cost", getattr(s, f"{cost}_cost") / 1e6)
    return s


class Session:
    """The history of a session: its active periods, and the issue times of its tokens."""

    def __init__(self, s, rng, until):
        self.starts, self.ends = self._bursts(s, rng, until)
        self.issued = [-rng.random() * s.due]
        burst = 0
        while burst < len(self.ends):
            moment = max(self.issued[-1] + s.due, self.starts[burst])
            if not s.timer:
                moment += rng.expovariate(1 / s.request_every)
            if moment < self.ends[burst]:
                self.issued.append(moment)
            else:
                burst += 1

    @staticmethod
    def _bursts(s, rng, until):
        if s.pause == 0:
            return [0.0], [until]
        starts, ends = [], []
        now = 0.0 if rng.random() < s.active else rng.expovariate(1 / s.pause)
        while now < until:
            starts.append(now)
            ends.append(now + rng.expovariate(1 / s.burst))
            now = ends[-1] + rng.expovariate(1 / s.pause)
        return starts, ends

    def is_active(self, moment):
        burst = bisect_right(self.starts, moment) - 1
        return burst >= 0 and moment < self.ends[burst]

    def age(self, moment):
        return moment - self.issued[bisect_right(self.issued, moment) - 1]

    def requests(self, s, rng, token):
        """The ages of this token at the requests that carry it before it expires."""
        begin, last = self.issued[token], self.issued[token + 1]
        if not s.timer:
            last = min(last, begin + s.accepted)
            yield 0.0
        for burst in range(bisect_right(self.starts, begin) - 1, bisect_left(self.starts, last)):
            moment = max(begin, self.starts[burst]) + rng.expovariate(1 / s.request_every)
            while moment < min(last, self.ends[burst]):
                yield moment - begin
                moment += rng.expovariate(1 / s.request_every)


def simulate_keys(s, rng):
    """How long a withdrawn key is accepted, the fetches, and the share of instances without keys."""
    mean = s.used_ttl - 1.5 * s.refresh_ahead
    begin, end = 5 * mean, 45 * mean
    rotations = s.rotations_per_day / DAY
    lags, fetches, ended = [], Ratio(), Ratio()
    for _ in range(INSTANCES):
        fetched = [-rng.random() * mean]
        while fetched[-1] < end:
            due = s.used_ttl - s.refresh_ahead * rng.uniform(1, 2)
            rotated = rng.expovariate(rotations) if rotations else math.inf
            fetched.append(fetched[-1] + min(due, rotated))
        moments = [rng.uniform(begin, end) for _ in range(5)]
        following = [bisect_right(fetched, moment) for moment in moments]
        lags.append([fetched[i] - moment for i, moment in zip(following, moments)])
        lost = 0
        for i, moment in zip(following, moments):
            restarted = not s.kept_keys and rng.random() < s.restarted / 100
            lost += restarted or moment + s.outage - fetched[i - 1] >= s.used_ttl + s.max_stale
        ended.add(lost, len(moments))
        fetches.add(bisect_right(fetched, end) - bisect_right(fetched, begin), end - begin)
    return lags, fetches.figure(), ended.figure(10 / INSTANCES / 5)


def simulate_sessions(s, rng, keys_ended):
    """Figures from the histories of sessions: counts by name, and revocation lags."""
    begin = 2 * s.access_expiry + 4 * (s.burst + s.pause)
    end = begin + 5 * (s.access_expiry + s.burst + s.pause)
    bursts = 2 * (end + s.outage) / (s.burst + s.pause) if s.pause else 0
    count = int(min(10_000, EVENTS / (bursts + end * s.active / s.due + 6 * MOMENTS)))
    found, lags, requests = {}, [], 0
    add = lambda name, y, x: found.setdefault(name, Ratio()).add(y, x)
    for _ in range(count):
        session = Session(s, rng, end + s.outage + s.accepted)
        moments = [rng.uniform(begin, end) for _ in range(MOMENTS)]
        left = [s.accepted - session.age(moment) for moment in moments]
        lags.append([lag for lag in left if lag > 0])
        add("expired", MOMENTS - len(lags[-1]), MOMENTS)
        add("lag", sum(lags[-1]), MOMENTS)
        first, last = (bisect_right(session.issued, moment) for moment in (begin, end))
        add("refreshes", last - first, end - begin)
        # An outage begins at each sampled time. At its end, the sessions active then are counted.
        ages = [session.age(m) + s.outage for m in moments if session.is_active(m + s.outage)]
        add("ended", sum(age >= s.accepted for age in ages), len(ages))
        add("waiting", sum(age >= s.due for age in ages), MOMENTS)
        without_keys = lambda: any(rng.random() < keys_ended for _ in range(s.fan_out))
        add("locked", sum(age >= s.accepted or without_keys() for age in ages), len(ages))
        logins = [m for m in moments if session.is_active(m)]
        add("again", sum(session.is_active(m + s.due) for m in logins), len(logins))
        later = (m + rng.uniform(0, s.login_within) for m in logins if s.login_peak)
        add("active_later", sum(session.is_active(moment) for moment in later), len(logins))
        if requests < REQUESTS:
            requests += follow(s, rng, session, first, add)
    slack = {"refreshes": 0, "lag": 0, "misses": 10 / requests, "skewed": 10 / requests}
    default = 10 / count / MOMENTS
    return {name: ratio.figure(slack.get(name, default)) for name, ratio in found.items()}, lags


def follow(s, rng, session, first, add):
    """Sends tokens to the instances: cache misses, and rejections due to clock skew."""
    each = int(s.instances / s.fan_out)
    validations = misses = valid = skewed = 0
    for token in range(first, min(first + TOKENS, len(session.issued) - 1)):
        seen = set()
        for age in session.requests(s, rng, token):
            for service in range(s.fan_out):
                seen.add((service, rng.randrange(each)))
                validations += 1
                if age < s.access_expiry:
                    shown = age + rng.gauss(0, s.clock_skew)
                    valid += 1
                    skewed += shown < -s.leeway or shown >= s.accepted
        misses += len(seen)
    add("misses", misses, validations)
    add("skewed", skewed, valid)
    return validations


def mechanisms(s, base, cores, locked):
    """Status lists and live lookups: requests and cores at the issuer, and sessions locked out."""
    age = s.list_max_age
    asked, pushed = Figure(0.475 * age, 0.45 * age, 0.5 * age), Figure.exact(age // 3)
    ended = lambda every: min(1, max(0, (s.outage - age + every) / every))
    either = lambda a, b: Figure(*(1 - (1 - x) * (1 - y) for x, y in zip(a, b)))
    changes = Figure.exact(s.instances * s.revocations_per_day / DAY)
    lists = asked.map(lambda every: s.instances / every)
    with_list = either(locked, asked.map(ended))
    waits = pushed.map(lambda every: s.instances / every).plus(changes)
    with_push = either(locked, pushed.map(ended))
    lookups = Figure.exact(s.validations)
    rows = [
        (Figure.exact(0), Figure.exact(0), locked),
        (lists, lists.times(s.fetch_cost), with_list),
        (waits, waits.times(s.fetch_cost), with_push),
        (lookups, lookups.times(s.lookup_cost), ONE),
        # The feed: logout tokens are sent to the services, and their store answers.
        (Figure.exact(0), Figure.exact(0), locked),
    ]
    live, listed = s.live_share / 100, s.list_share / 100
    if live or listed:
        # The companion issuer pushes its lists.
        used = waits.times(1 if listed else 0)
        rows.append((
            used.plus(lookups.times(live)),
            used.times(s.fetch_cost).plus(lookups.times(live * s.lookup_cost)),
            locked.times(1 - live - listed).plus(ONE.times(live)).plus(with_push.times(listed)),
        ))
    report = {}
    for i, (more, more_cores, out) in enumerate(rows):
        report[f"/mechanisms/{i}/issuer_requests"] = base.plus(more)
        report[f"/mechanisms/{i}/issuer_cores"] = cores.plus(more_cores)
        report[f"/mechanisms/{i}/locked_out"] = out
    return report


def figures(s, rng):
    """Maps JSON pointers into the command's report to figures."""
    key_lags, fetches, keys_ended = simulate_keys(s, rng)
    found, lags = simulate_sessions(s, rng, keys_ended.value)
    fetches, refreshes = fetches.times(s.instances), found["refreshes"].times(s.sessions)
    cores = refreshes.times(s.refresh_cost).plus(fetches.times(s.fetch_cost))
    waiting = found["waiting"].times(s.sessions)
    # The waiting sessions get the cores left over by refreshes and fetches (taken from the output).
    spare = cores.map(lambda used: s.refresh_cost / (s.issuer_cores - used))
    figure = {
        "lag_bound": Figure.exact(s.access_expiry + 2 * s.leeway),
        "lag_longest": Figure.exact(s.accepted),
        "key_lag_bound": Figure.exact(s.jwks_ttl + 2 * s.fetch_timeout + 1.1),
        "key_lag_bound_in_outage": Figure.exact(s.jwks_ttl + s.max_stale),
        "validations": Figure.exact(s.validations),
        "without_lag/model": found["expired"],
        "lag_median/model": quantile(lags, 0.5),
        "lag_p99/model": quantile(lags, 0.99),
        "exposure_per_day": found["lag"].times(s.revocations_per_day),
        "key_lag_median/model": quantile(key_lags, 0.5),
        "key_lag_p99/model": quantile(key_lags, 0.99),
        "refreshes/model": refreshes,
        "fetches/model": fetches,
        "issuer_cores": cores,
        "cache_hits/model": found["misses"].map(lambda miss: 1 - miss),
        "cpu_per_validation": found["misses"].map(
            lambda miss: miss * s.verify_cost + (1 - miss) * s.hit_cost),
        "tokens_ended/model": found["ended"],
        "keys_ended/model": keys_ended.map(lambda share: 1 - (1 - share) ** s.fan_out),
        "locked_out/model": found["locked"],
        "waiting_after_outage/model": waiting,
        "recovery": Figure(*(count * each for count, each in zip(waiting, spare))),
        "refused_by_skew/model": found["skewed"],
    }
    report = {f"/settings/0/{name}": value for name, value in figure.items()} | mechanisms(
        s, refreshes.plus(fetches), cores, found["locked"])
    if s.login_peak:
        logins = s.login_peak / s.login_within
        again = found["again"].times(logins)
        report["/login_peak/logins"] = Figure.exact(logins)
        # A login is a refresh and a password hash of 50 ms.
        login_cost = s.refresh_cost + 0.05
        due = again.times(s.refresh_cost)
        # The sessions of the peak are among the sessions.
        others = 1 - s.login_peak / s.sessions
        usual = refreshes.times(others * s.refresh_cost).plus(fetches.times(s.fetch_cost))
        report["/login_peak/cores"] = usual.plus(Figure.exact(logins * login_cost)).plus(due)
        report["/login_peak/active"] = found["active_later"].times(s.login_peak).plus(
            Figure.exact(others * s.sessions * s.burst / (s.burst + s.pause)))
        report["/login_peak/refreshes_again"] = again
        report["/login_peak/parts/refreshes_due"] = due
    return report


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        chosen = json.load(file)
    print(json.dumps([figures(setting(one), random.Random(int(sys.argv[2]))) for one in chosen]))
