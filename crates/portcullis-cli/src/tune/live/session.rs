//! The events of a live run, and the clients.

use rand::RngExt as _;

use super::world::Tokens;
use super::{Live, micros, secs, step};
use crate::exit::Failure;
use crate::tune::scenario::Habit;

/// Events are ordered by time, then by their other fields, so the order is reproducible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Event {
    pub(super) at: u64,
    pub(super) number: usize,
    pub(super) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Login,
    /// A burst begins or ends.
    Switch,
    /// The client's refresh timer fires.
    Due,
    /// A request of that burst.
    Request {
        burst: u64,
    },
    Revoke,
    /// A request with the access token of a revoked session.
    Try,
}

#[derive(Debug, Default)]
pub(super) struct Session {
    tokens: Option<Tokens>,
    active: bool,
    burst: u64,
    due_at: u64,
    revoked_at: Option<u64>,
    last_accepted: Option<u64>,
}

impl Session {
    /// The time from the revocation to the last accepted request; `None` if none was accepted.
    pub(super) fn lag(&self) -> Option<f64> {
        Some(secs(self.last_accepted? - self.revoked_at?))
    }

    fn token(&self) -> String {
        self.tokens.as_ref().map(|tokens| tokens.access_token.clone()).unwrap_or_default()
    }

    fn refresh_token(&self) -> String {
        self.tokens.as_ref().map(|tokens| tokens.refresh_token.clone()).unwrap_or_default()
    }
}

impl Live {
    pub(super) async fn happens(&mut self, event: Event) -> Result<(), Failure> {
        let Event { at: now, number, what } = event;
        let Some(session) = self.sessions.get_mut(number) else { return Ok(()) };
        if session.revoked_at.is_some() && what != What::Try {
            return Ok(());
        }
        match what {
            What::Login => {
                let tokens = self.world.login().await?;
                self.keep(now, number, tokens);
                self.switch(now, number).await
            }
            What::Switch => self.switch(now, number).await,
            What::Due if session.active && session.due_at == now => self.refresh(now, number).await,
            What::Request { burst } if session.active && session.burst == burst => {
                self.request(now, number).await
            }
            What::Due | What::Request { .. } => Ok(()),
            What::Revoke => self.revoke(now, number).await,
            What::Try => self.try_again(now, number).await,
        }
    }

    fn keep(&mut self, now: u64, number: usize, tokens: Tokens) {
        let early = self.scenario.access_expiry - self.scenario.used_for();
        let due_at = now + tokens.expires_in * 1_000_000 - micros(early.max(0.0));
        if self.scenario.habit == Habit::Timer {
            self.plan(due_at, number, What::Due);
        }
        if let Some(session) = self.sessions.get_mut(number) {
            session.due_at = due_at;
            session.tokens = Some(tokens);
        }
    }

    async fn switch(&mut self, now: u64, number: usize) -> Result<(), Failure> {
        let Some(session) = self.sessions.get_mut(number) else { return Ok(()) };
        session.active = !session.active;
        session.burst += 1;
        let (active, burst) = (session.active, session.burst);
        let is_due = now >= session.due_at;
        let activity = self.scenario.activity;
        if activity.pause > 0.0 {
            let next = self.after(now, if active { activity.burst } else { activity.pause });
            self.plan(next, number, What::Switch);
        }
        if active {
            let next = self.after(now, activity.request_every);
            self.plan(next, number, What::Request { burst });
            if is_due && self.scenario.habit == Habit::Timer {
                return self.refresh(now, number).await;
            }
        }
        Ok(())
    }

    async fn refresh(&mut self, now: u64, number: usize) -> Result<(), Failure> {
        let Some(session) = self.sessions.get(number) else { return Ok(()) };
        let Some(tokens) = self.world.refresh(&session.refresh_token()).await? else {
            return Err(Failure::wrong("--live: the issuer ended a session that was not revoked"));
        };
        self.refreshes += u64::from((self.from..self.until).contains(&now));
        self.keep(now, number, tokens);
        Ok(())
    }

    async fn request(&mut self, now: u64, number: usize) -> Result<(), Failure> {
        if !self.ask(number).await? {
            let Some(session) = self.sessions.get(number) else { return Ok(()) };
            // A lazy client refreshes on a 401 and repeats the request.
            let lazily = self.scenario.habit == Habit::Lazy && now >= session.due_at;
            if lazily {
                self.refresh(now, number).await?;
            }
            let accepted = lazily && self.ask(number).await?;
            self.wrongly_refused += u64::from(!accepted);
        }
        let next = self.after(now, self.scenario.activity.request_every);
        let burst = self.sessions.get(number).map_or(0, |session| session.burst);
        self.plan(next, number, What::Request { burst });
        Ok(())
    }

    /// Returns whether a random instance accepts the session's token.
    async fn ask(&mut self, number: usize) -> Result<bool, Failure> {
        let token = self.sessions.get(number).map(Session::token).unwrap_or_default();
        let instance = self.chance.random_range(0..self.scenario.instances);
        self.requests += 1;
        self.world.accepts(instance, &token).await
    }

    async fn revoke(&mut self, now: u64, number: usize) -> Result<(), Failure> {
        let Some(session) = self.sessions.get_mut(number) else { return Ok(()) };
        session.revoked_at = Some(now);
        let refresh_token = session.refresh_token();
        self.world.logout(&refresh_token).await?;
        if self.world.refresh(&refresh_token).await?.is_some() {
            return Err(Failure::wrong("--live: the issuer refreshed a revoked session"));
        }
        self.try_again(now, number).await
    }

    /// Tries the token until it is rejected, or until twice the bound has passed.
    async fn try_again(&mut self, now: u64, number: usize) -> Result<(), Failure> {
        let (bound, step) = (self.scenario.lag_bound(), step(&self.scenario));
        if self.ask(number).await? {
            let Some(session) = self.sessions.get_mut(number) else { return Ok(()) };
            session.last_accepted = Some(now);
            if now < self.until + micros(2.0 * bound) {
                self.plan(now + micros(step), number, What::Try);
            }
        }
        Ok(())
    }
}
