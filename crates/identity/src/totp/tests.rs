use super::*;

const SEED: &[u8] = b"12345678901234567890";

fn app() -> Totp {
    Totp::default()
}

/// RFC 6238 appendix B; SHA-256 and SHA-512 with seeds as long as their blocks.
#[test]
fn the_rfcs_values() {
    let seeds: [(Algorithm, &[u8]); 3] = [
        (Algorithm::Sha1, SEED),
        (Algorithm::Sha256, b"12345678901234567890123456789012"),
        (
            Algorithm::Sha512,
            b"1234567890123456789012345678901234567890123456789012345678901234",
        ),
    ];
    let table = [
        (59, ["94287082", "46119246", "90693936"]),
        (1_111_111_109, ["07081804", "68084774", "25091201"]),
        (1_111_111_111, ["14050471", "67062674", "99943326"]),
        (1_234_567_890, ["89005924", "91819424", "93441116"]),
        (2_000_000_000, ["69279037", "90698825", "38618901"]),
        (20_000_000_000, ["65353130", "77737706", "47863826"]),
    ];
    for (now_s, codes) in table {
        for ((algorithm, seed), code) in seeds.into_iter().zip(codes) {
            let totp = Totp {
                algorithm,
                digits: 8,
                ..app()
            };
            assert_eq!(
                totp.code(seed, totp.step(now_s)),
                code,
                "{algorithm:?} {now_s}"
            );
            assert_eq!(totp.verify(seed, code, now_s, None), Ok(now_s / 30));
        }
    }
}

/// RFC 4226 appendix D.
#[test]
fn the_counters_values() {
    let codes = [
        "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871",
        "520489",
    ];
    for (step, code) in codes.into_iter().enumerate() {
        assert_eq!(app().code(SEED, step as u64), code);
    }
}

#[test]
fn a_neighbouring_step_is_good_and_one_further_is_not() {
    let now_s = 1_234_567_890;
    let step = app().step(now_s);
    for (distance, good) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
        let code = app().code(SEED, step.saturating_add_signed(distance));
        let got = app().verify(SEED, &code, now_s, None);
        assert_eq!(got.is_ok(), good, "{distance}: {got:?}");
    }
}

#[test]
fn a_code_is_good_once() {
    let now_s = 1_234_567_890;
    let code = app().code(SEED, app().step(now_s));
    let step = app().verify(SEED, &code, now_s, None).unwrap();
    let again = app().verify(SEED, &code, now_s + 29, Some(step));
    assert_eq!(again, Err(TotpError::Replayed));
    // Nor is the one before it, once a later one was used.
    let before = app().code(SEED, step - 1);
    assert_eq!(
        app().verify(SEED, &before, now_s, Some(step)),
        Err(TotpError::Replayed)
    );
    let after = app().code(SEED, step + 1);
    assert_eq!(app().verify(SEED, &after, now_s, Some(step)), Ok(step + 1));
}

#[test]
fn what_is_no_code_is_told_apart() {
    let malformed = Err(TotpError::Malformed(6));
    for typed in [
        "",
        "12345",
        "1234567",
        "12345a",
        "１２３４５６",
        "-12345",
        &"1".repeat(9999),
    ] {
        assert_eq!(app().verify(SEED, typed, 59, None), malformed, "{typed}");
    }
    assert_eq!(app().verify(SEED, "287 082", 59, None), Ok(1));
    assert_eq!(
        app().verify(SEED, "000000", 59, None),
        Err(TotpError::Wrong)
    );
    assert_eq!(
        app().verify(b"another seed", "287082", 59, None),
        Err(TotpError::Wrong)
    );
}

#[test]
fn the_ends_of_time_do_no_harm() {
    for now_s in [0, 29, u64::MAX] {
        let totp = Totp {
            period_s: 0,
            window_steps: u64::MAX,
            ..app()
        };
        assert!(totp.verify(SEED, "000000", now_s, None).is_err());
    }
}

#[test]
fn an_app_is_told_all_it_needs() {
    let uri = app().uri(SEED, "Cross point", "anna@example.com");
    assert_eq!(
        uri,
        "otpauth://totp/Cross%20point:anna%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
         &issuer=Cross%20point&algorithm=SHA1&digits=6&period=30"
    );
    assert_eq!(
        secret_bytes("gezd gnbv gy3t qojq gezd gnbv gy3t qojq").unwrap(),
        SEED
    );
    assert_eq!(secret_bytes("not base32!"), None);
}
