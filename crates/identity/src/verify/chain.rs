//! Tokens to chains (RFC 8946 4.2): a first token, and diversions that each begin where the one
//! before ended. The headers are unordered, so the order is found from the numbers.

use super::token::Check;
use super::{Checked, DIVERSIONS_MAX, HeaderOutcome, Read, Report};
use crate::passport::Ppt;
use crate::{Fault, Verdict};

/// A path through the tokens of one request.
type Chain<'t, 'a> = Vec<&'t Checked<'a>>;

pub(super) fn judge(
    check: &Check<'_>,
    reads: Vec<Read<'_>>,
    mut headers: Vec<HeaderOutcome>,
) -> Report {
    let is_div = |r: &&Read<'_>| r.tokens.len() == 1 && r.tokens[0].passport.ppt == Ppt::Div;
    let divs: Vec<&Checked<'_>> = reads.iter().filter(is_div).map(|r| &r.tokens[0]).collect();
    let too_long = divs.len() > DIVERSIONS_MAX;
    let mut faults: Vec<(u8, Fault)> = Vec::new();
    let mut best: Option<(u8, Chain<'_, '_>)> = None;
    for read in &reads {
        let Some(rank) = start_rank(read) else {
            if let Some(fault) = read.fault {
                faults.push((if is_div(&read) { 4 } else { 3 }, fault));
            }
            continue;
        };
        let outcome = if too_long {
            Err(Fault::ChainTooLong)
        } else {
            chain_from(check, read, &divs)
        };
        match outcome {
            Ok(chain) => {
                if best.as_ref().is_none_or(|(r, _)| rank < *r) {
                    best = Some((rank, chain));
                }
            }
            Err(fault) => {
                headers[read.index].outcome = Err(fault);
                faults.push((rank, fault));
            }
        }
    }
    if let Some((_, chain)) = best {
        let first = &chain[0].passport;
        return Report {
            verdict: Verdict::Valid,
            fault: None,
            attestation: first.attest,
            origid: first.origid.clone(),
            signed: Some((first.iat, first.x5u.clone())),
            diversions: chain
                .iter()
                .filter_map(|t| t.passport.div.clone())
                .collect(),
            headers,
        };
    }
    let unknown_only =
        !faults.is_empty() && faults.iter().all(|(_, f)| *f == Fault::UnsupportedPpt);
    let told = faults
        .iter()
        .filter(|(_, f)| *f != Fault::UnsupportedPpt)
        .min_by_key(|(rank, _)| *rank);
    let fault = match told {
        Some((_, fault)) => *fault,
        // The first token is of a type we do not know: its diversions mean nothing to us.
        None if unknown_only => Fault::UnsupportedPpt,
        None if !divs.is_empty() => Fault::ChainIncomplete,
        None => Fault::NoIdentity,
    };
    Report::failed(fault, headers)
}

/// Which tokens may begin a chain, the most telling first.
fn start_rank(read: &Read<'_>) -> Option<u8> {
    let innermost = &read.tokens.first()?.passport;
    match innermost.ppt {
        Ppt::Shaken => Some(0),
        Ppt::Base => Some(1),
        // A third party's rich call data says nothing about the number (RFC 9795 14).
        Ppt::Rcd if !innermost.claims.contains_key("iss") => Some(2),
        _ => None,
    }
}

fn chain_from<'t, 'a>(
    check: &Check<'_>,
    start: &'t Read<'a>,
    divs: &[&'t Checked<'a>],
) -> Result<Chain<'t, 'a>, Fault> {
    if let Some(fault) = start.fault {
        return Err(fault);
    }
    let mut tokens = start.tokens.iter();
    let first = tokens.next().ok_or(Fault::TokenMalformed)?;
    if first.passport.orig != check.orig {
        return Err(Fault::OrigMismatch);
    }
    let mut chain = vec![first];
    for nested in tokens {
        link(&chain, nested)?
            .then_some(())
            .ok_or(Fault::ChainIncomplete)?;
        chain.push(nested);
    }
    let chain = extend(check, chain, divs)?;
    fresh(check, &chain)?;
    Ok(chain)
}

/// Whether `next` begins where the chain ends; `Err` when it does but must not.
fn link(chain: &[&Checked<'_>], next: &Checked<'_>) -> Result<bool, Fault> {
    let last = &chain[chain.len() - 1].passport;
    let Some(div) = &next.passport.div else {
        return Ok(false);
    };
    if !last.dest.contains(div) {
        return Ok(false);
    }
    if next.passport.orig != chain[0].passport.orig {
        return Err(Fault::ChainOrig);
    }
    let again =
        |id: &String| id == div || chain.iter().any(|t| t.passport.div.as_ref() == Some(id));
    if next.passport.dest.iter().any(again) {
        return Err(Fault::ChainLoop);
    }
    if chain.len() > DIVERSIONS_MAX {
        return Err(Fault::ChainTooLong);
    }
    Ok(true)
}

/// Follows the diversions to one that ends at the Request-URI. At most five tokens take part, so
/// trying every order ends soon.
fn extend<'t, 'a>(
    check: &Check<'_>,
    chain: Chain<'t, 'a>,
    divs: &[&'t Checked<'a>],
) -> Result<Chain<'t, 'a>, Fault> {
    let mut refused = None;
    let mut went_on = false;
    for div in divs {
        if chain.iter().any(|t| std::ptr::eq(*t, *div)) {
            continue;
        }
        // A token that does not verify cannot lead anywhere; if nothing else does, it is why.
        let outcome = match (link(&chain, div), div.fault) {
            (Ok(false), _) => continue,
            (Ok(true), Some(fault)) => Err(fault),
            (Ok(true), None) => {
                went_on = true;
                let mut longer = chain.clone();
                longer.push(div);
                extend(check, longer, divs)
            }
            (Err(_), Some(fault)) => Err(fault),
            (Err(fault), None) => {
                went_on = true;
                Err(fault)
            }
        };
        match outcome {
            Ok(found) => return Ok(found),
            Err(fault) => refused = refused.or(Some(fault)),
        }
    }
    let last = &chain[chain.len() - 1].passport;
    let arrived = last.dest.iter().any(|d| d == check.call.dest);
    match (arrived && !went_on, refused) {
        (true, _) => Ok(chain),
        (false, Some(fault)) => Err(fault),
        (false, None) => Err(Fault::DestMismatch),
    }
}

/// The outermost must be fresh; those inside may be older when a trusted party passed them on.
fn fresh(check: &Check<'_>, chain: &[&Checked<'_>]) -> Result<(), Fault> {
    let policy = check.policy;
    let window_s = policy.freshness.as_secs() as i64;
    let inner_s = match check.call.trusted_transfer {
        true => policy.transfer_freshness.as_secs() as i64,
        false => window_s,
    };
    let (outer, inner) = chain.split_last().ok_or(Fault::TokenMalformed)?;
    // RFC 8224 6.2 step 4: the request's own Date as well, where it has one.
    let date_fresh = check
        .call
        .date_s
        .is_none_or(|date_s| !check.call.date_binds || check.age_s(date_s) <= window_s);
    let good = date_fresh && outer.age_s <= window_s && inner.iter().all(|t| t.age_s <= inner_s);
    good.then_some(()).ok_or(Fault::Stale)
}
