use super::*;

fn uuid(text: &str) -> GpuUuid {
    GpuUuid::new(text).expect("an id")
}

fn cards() -> Vec<GpuUuid> {
    vec![uuid("GPU-a"), uuid("GPU-b")]
}

fn card(text: &str) -> Found {
    Found::Card { uuid: uuid(text) }
}

fn unclear(reason: Doubt) -> Found {
    Found::Unclear { reason }
}

/// A small repeatable noise, so that a test fails the same way each time.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        #[expect(clippy::cast_precision_loss, reason = "31 bits")]
        let unit = (self.0 >> 33) as f64 / f64::from(1_u32 << 31);
        unit
    }

    /// Between `-spread` and `spread` around a middle, as a load.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a load"
    )]
    fn load(&mut self, middle: f64, spread: f64) -> u32 {
        (middle + (self.next() * 2.0 - 1.0) * spread).clamp(0.0, 100.0) as u32
    }
}

/// What each card does at rest and at work: middle and spread of its load, memory in MiB.
#[derive(Clone, Copy)]
struct Plays {
    rest: (f64, f64, u32),
    work: (f64, f64, u32),
}

const IDLE: Plays = Plays {
    rest: (1.0, 2.0, 700),
    work: (1.0, 2.0, 700),
};
const WORKS: Plays = Plays {
    rest: (1.0, 2.0, 7000),
    work: (94.0, 6.0, 8200),
};
/// Another program computes on it all the time.
const NEIGHBOUR: Plays = Plays {
    rest: (20.0, 12.0, 3000),
    work: (20.0, 12.0, 3000),
};

fn looks(dice: &mut Dice, plays: &[Plays]) -> Vec<Look> {
    let mut looks = Vec::new();
    let phases = [
        (LookPhase::Before, 10),
        (LookPhase::Between, 3),
        (LookPhase::Working, 16),
        (LookPhase::Between, 6),
        (LookPhase::After, 6),
    ];
    for (phase, count) in phases {
        for _ in 0..count {
            let at_ms = i32::try_from(looks.len()).expect("few") * 200 - 2000;
            let now = |play: &Plays| match phase {
                LookPhase::Working => play.work,
                _ => play.rest,
            };
            looks.push(Look {
                at_ms,
                phase,
                load: plays
                    .iter()
                    .map(|play| Some(dice.load(now(play).0, now(play).1)))
                    .collect(),
                memory_mib: plays.iter().map(|play| Some(now(play).2)).collect(),
            });
        }
    }
    looks
}

fn once(plays: &[Plays]) -> Found {
    judge_round(&cards(), &looks(&mut Dice(7), plays), true)
}

#[test]
fn the_card_that_works_when_the_service_works_is_found() {
    assert_eq!(once(&[IDLE, WORKS]), card("GPU-b"));
    assert_eq!(once(&[WORKS, IDLE]), card("GPU-a"));
    assert_eq!(once(&[IDLE, IDLE]), Found::Cpu);
    assert_eq!(once(&[WORKS, WORKS]), unclear(Doubt::Noise));
    // A neighbour on the other card, and on the same one.
    assert_eq!(once(&[NEIGHBOUR, WORKS]), card("GPU-b"));
    let both = Plays {
        rest: NEIGHBOUR.rest,
        work: (97.0, 3.0, 4400),
    };
    assert_eq!(once(&[IDLE, both]), card("GPU-b"));
}

#[test]
fn what_is_not_clear_is_not_decided() {
    // Half a load: neither worked nor idle.
    let half = Plays {
        rest: (2.0, 2.0, 700),
        work: (18.0, 16.0, 700),
    };
    assert_eq!(once(&[half, IDLE]), unclear(Doubt::Unsteady));
    assert_eq!(once(&[half, WORKS]), unclear(Doubt::Unsteady));
    // The memory grows elsewhere than the load.
    let grows = Plays {
        rest: (1.0, 1.0, 700),
        work: (1.0, 1.0, 3000),
    };
    assert_eq!(once(&[grows, WORKS]), unclear(Doubt::Contradiction));
    assert_eq!(once(&[grows, IDLE]), unclear(Doubt::Contradiction));
    assert_eq!(judge_round(&[], &[], true), unclear(Doubt::NoCards));
    assert_eq!(judge_round(&cards(), &[], true), unclear(Doubt::TooFew));
    let mut few = looks(&mut Dice(1), &[IDLE, WORKS]);
    few.retain(|look| look.phase != LookPhase::Working || look.at_ms > 3400);
    assert_eq!(judge_round(&cards(), &few, true), unclear(Doubt::TooFew));
}

#[test]
fn without_a_load_the_memory_may_tell_and_silence_proves_nothing() {
    let silent = |plays: &[Plays]| {
        let mut looks = looks(&mut Dice(3), plays);
        for look in &mut looks {
            look.load = vec![None, None];
        }
        judge_round(&cards(), &looks, true)
    };
    assert_eq!(silent(&[IDLE, WORKS]), card("GPU-b"));
    assert_eq!(
        silent(&[IDLE, IDLE]),
        unclear(Doubt::Untold),
        "no proof of the CPU"
    );
    let mut nothing = looks(&mut Dice(3), &[IDLE, WORKS]);
    for look in &mut nothing {
        look.load = vec![None, Some(50)];
        look.memory_mib = vec![None, None];
    }
    assert_eq!(
        judge_round(&cards(), &nothing, true),
        unclear(Doubt::Untold)
    );
    // Values that are missing for a card altogether, as hostile or torn evidence would have them.
    let mut torn = looks(&mut Dice(3), &[IDLE, WORKS]);
    for look in &mut torn {
        look.load.truncate(1);
    }
    assert_eq!(
        judge_round(&cards(), &torn, true),
        card("GPU-b"),
        "by its memory"
    );
}

fn round(finding: Found) -> Round {
    Round {
        at: Timestamp::UNIX_EPOCH,
        steps: 12,
        pixels: 512,
        took_ms: 3000,
        cards: cards(),
        looks: looks(&mut Dice(7), &[IDLE, WORKS]),
        finding,
    }
}

#[test]
fn two_rounds_have_to_agree() {
    let judged = |findings: &[Found]| {
        let rounds: Vec<Round> = findings.iter().cloned().map(round).collect();
        judge(&rounds)
    };
    let (a, b) = (card("GPU-a"), card("GPU-b"));
    let noise = || unclear(Doubt::Noise);
    assert_eq!(judged(&[]), None);
    assert_eq!(judged(std::slice::from_ref(&a)), None);
    assert_eq!(
        judged(&[a.clone(), a.clone()]),
        Some((a.clone(), Confidence::High))
    );
    assert_eq!(
        judged(&[noise(), a.clone(), noise(), a.clone()]),
        Some((a.clone(), Confidence::Medium))
    );
    let disagree = Some((unclear(Doubt::Disagreement), Confidence::None));
    assert_eq!(judged(&[a.clone(), b]), disagree);
    assert_eq!(judged(&[a.clone(), Found::Cpu]), disagree);
    assert_eq!(judged(&[noise(), noise()]), None, "tried again");
    let tired = vec![noise(); MOST_ROUNDS - 1];
    assert_eq!(judged(&tired), None);
    let last: Vec<Found> = tired
        .iter()
        .cloned()
        .chain([unclear(Doubt::Untold)])
        .collect();
    assert_eq!(
        judged(&last),
        Some((unclear(Doubt::Untold), Confidence::None))
    );
    let single: Vec<Found> = [a].into_iter().chain(tired).collect();
    assert_eq!(
        judged(&single),
        Some((noise(), Confidence::None)),
        "once is not enough"
    );
}

#[test]
fn what_memory_alone_says_is_not_as_sure() {
    let by_memory = |finding| {
        let mut round = round(finding);
        for look in &mut round.looks {
            look.load[1] = None;
        }
        round
    };
    let found = card("GPU-b");
    let confidence = |rounds: &[Round]| judge(rounds).expect("judged").1;
    let rounds = [by_memory(found.clone()), by_memory(found.clone())];
    assert_eq!(confidence(&rounds), Confidence::Medium);
    let mixed = [round(found.clone()), by_memory(found.clone())];
    assert_eq!(confidence(&mixed), Confidence::Medium);
    assert_eq!(
        confidence(&[round(found.clone()), round(found)]),
        Confidence::High
    );
}

#[test]
fn a_card_out_of_sight_or_without_room_may_be_the_one() {
    let full = Plays {
        rest: (99.0, 1.0, 9000),
        work: (99.0, 1.0, 9000),
    };
    assert_eq!(
        once(&[IDLE, full]),
        unclear(Doubt::Saturated),
        "it may work and not show it"
    );
    assert_eq!(
        once(&[WORKS, full]),
        card("GPU-a"),
        "the other one shows it"
    );
    let idle = looks(&mut Dice(7), &[IDLE, IDLE]);
    assert_eq!(judge_round(&cards(), &idle, false), unclear(Doubt::Untold));
    let works = looks(&mut Dice(7), &[IDLE, WORKS]);
    assert_eq!(judge_round(&cards(), &works, false), card("GPU-b"));
}

/// As many proofs as it takes to see what noise does: never the wrong card.
#[test]
fn under_noise_it_may_be_unclear_and_is_never_wrong() {
    let mut dice = Dice(20_251_011);
    let mut told = 0;
    let mut proofs = 0;
    for level in [5.0, 10.0, 20.0, 35.0, 50.0, 70.0, 88.0, 98.0] {
        for spread in [2.0, 10.0, 25.0, 45.0] {
            for (right, plays) in [
                (card("GPU-b"), [(level, spread), (1.0, 2.0)]),
                (card("GPU-b"), [(1.0, 2.0), (level, spread)]),
                (Found::Cpu, [(level, spread), (1.0, 2.0)]),
                (Found::Cpu, [(level, spread), (level, spread)]),
            ] {
                for _ in 0..20 {
                    proofs += 1;
                    let mut rounds = Vec::new();
                    let found = loop {
                        let computes = right == card("GPU-b");
                        let mut noisy = plays.map(|rest| Plays {
                            rest: (rest.0, rest.1, 3000),
                            work: (rest.0, rest.1, 3000),
                        });
                        if computes {
                            // A driver's load is bounded: both together are not more than all.
                            noisy[1].work = (95.0, 5.0, 3400);
                        }
                        let seen = looks(&mut dice, &noisy);
                        rounds.push(round(judge_round(&cards(), &seen, true)));
                        if let Some((found, _)) = judge(&rounds) {
                            break found;
                        }
                    };
                    let is_clear = !matches!(found, Found::Unclear { .. });
                    told += u32::from(is_clear);
                    assert!(!is_clear || found == right, "{level} ± {spread}: {found:?}");
                }
            }
        }
    }
    assert!(told * 3 > proofs, "{told} of {proofs} were clear");
}
