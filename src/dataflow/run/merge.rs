//! In which order the rows of several inputs are taken: always the input whose next row has the least row time. Pure.
//!
//! Taken so, a row comes behind all that were before it in its own input, late or not; so the order is that of the greatest
//! time seen in the row's input so far, and of two inputs with the same the first one's row comes first. It doesn't depend on
//! how much of an input is at hand, as long as of each that has more something is.

/// What is at hand of one input.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<'a> {
    /// Row times, in the order of the rows.
    pub times: &'a [i64],
    /// Whether there is more behind these rows, or may be.
    pub more: bool,
    /// They are taken together or not at all: as one row of the first one's time.
    pub whole: bool,
}

/// How many rows of each input can be taken in their order now: none that would come behind a row that isn't at hand.
pub(super) fn takes(heads: &[Head<'_>]) -> Vec<usize> {
    let mut bound: Option<(i64, usize)> = None;
    for (number, head) in heads.iter().enumerate().filter(|(_, head)| head.more) {
        let Some(greatest) = head.times.iter().max() else { return vec![0; heads.len()] };
        let last = (*greatest, number);
        bound = Some(bound.map_or(last, |bound| bound.min(last)));
    }
    let Some(bound) = bound else { return heads.iter().map(|head| head.times.len()).collect() };
    let fitting = |(number, head): (usize, &Head<'_>)| {
        let before = head.times.iter().take_while(|time| (**time, number) <= bound).count();
        match head.whole && before > 0 {
            true => head.times.len(),
            false => before,
        }
    };
    heads.iter().enumerate().map(fitting).collect()
}

/// The place of each row among those of all inputs, from 0 on.
pub(super) fn places(inputs: &[&[i64]]) -> Vec<Vec<u64>> {
    let mut places: Vec<Vec<u64>> = inputs.iter().map(|times| Vec::with_capacity(times.len())).collect();
    // The greatest time seen of each input.
    let mut seen = vec![i64::MIN; inputs.len()];
    let mut place = 0;
    loop {
        // The input that is next, and the one behind it.
        let (mut next, mut other) = (None, None);
        for (number, times) in inputs.iter().enumerate() {
            let Some(time) = times.get(places[number].len()) else { continue };
            let turn = Some((seen[number].max(*time), number));
            if next.is_none() || turn < next {
                other = next;
                next = turn;
            } else if other.is_none() || turn < other {
                other = turn;
            }
        }
        let Some((_, number)) = next else { return places };
        for time in &inputs[number][places[number].len()..] {
            let turn = seen[number].max(*time);
            if other.is_some_and(|other| (turn, number) > other) {
                break;
            }
            seen[number] = turn;
            places[number].push(place);
            place += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Input and row of each row taken, one by one: the input whose next row has the least time.
    fn one_by_one(inputs: &[Vec<i64>]) -> Vec<(usize, usize)> {
        let mut at = vec![0; inputs.len()];
        let mut taken = Vec::new();
        loop {
            let heads = inputs.iter().enumerate().filter_map(|(input, times)| Some((*times.get(at[input])?, input)));
            let Some((_, input)) = heads.min() else { return taken };
            taken.push((input, at[input]));
            at[input] += 1;
        }
    }

    fn random_times(random: &mut fastrand::Rng) -> Vec<i64> {
        let mut time = 0;
        let mut next = || {
            time += random.i64(-3..6);
            time
        };
        let rows = (0..40).map(|_| next()).collect::<Vec<_>>();
        rows[..random.usize(0..40)].to_vec()
    }

    #[test]
    fn the_input_with_the_least_head_is_next() {
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..300 {
            let inputs: Vec<Vec<i64>> = (0..random.usize(1..5)).map(|_| random_times(&mut random)).collect();
            let slices: Vec<&[i64]> = inputs.iter().map(Vec::as_slice).collect();
            let places = places(&slices);
            let mut found: Vec<(u64, (usize, usize))> = Vec::new();
            for (input, places) in places.iter().enumerate() {
                found.extend(places.iter().enumerate().map(|(row, place)| (*place, (input, row))));
            }
            found.sort_unstable();
            assert_eq!(found.into_iter().map(|(_, row)| row).collect::<Vec<_>>(), one_by_one(&inputs));
        }
    }

    /// However little is at hand of an input that has more, the order is that of all rows.
    #[test]
    fn the_order_is_that_of_all_rows() {
        let mut random = fastrand::Rng::with_seed(6);
        for _ in 0..300 {
            let inputs: Vec<Vec<i64>> = (0..random.usize(1..4)).map(|_| random_times(&mut random)).collect();
            let mut at = vec![0; inputs.len()];
            let mut found = Vec::new();
            while at.iter().zip(&inputs).any(|(at, times)| *at < times.len()) {
                let at_hand = |input: usize, random: &mut fastrand::Rng| {
                    let rest = &inputs[input][at[input]..];
                    &rest[..random.usize(0..=rest.len())]
                };
                let hands: Vec<&[i64]> = (0..inputs.len()).map(|input| at_hand(input, &mut random)).collect();
                let more = |input: usize| at[input] + hands[input].len() < inputs[input].len();
                let heads: Vec<Head> = hands
                    .iter()
                    .enumerate()
                    .map(|(input, times)| Head { times, more: more(input), whole: false })
                    .collect();
                let takes = takes(&heads);
                let taken: Vec<&[i64]> = hands.iter().zip(&takes).map(|(hand, take)| &hand[..*take]).collect();
                let mut order: Vec<(u64, (usize, usize))> = Vec::new();
                for (input, places) in places(&taken).into_iter().enumerate() {
                    order.extend(places.into_iter().enumerate().map(|(row, place)| (place, (input, at[input] + row))));
                }
                order.sort_unstable();
                found.extend(order.into_iter().map(|(_, row)| row));
                at.iter_mut().zip(takes).for_each(|(at, take)| *at += take);
            }
            assert_eq!(found, one_by_one(&inputs));
        }
    }

    #[test]
    fn an_input_that_has_more_and_nothing_at_hand_is_waited_for() {
        let head = |times: &'static [i64], more: bool| Head { times, more, whole: false };
        assert_eq!(takes(&[head(&[1, 2], true), head(&[], true)]), [0, 0]);
        assert_eq!(takes(&[head(&[1, 2], true), head(&[], false)]), [2, 0]);
        // The first has a row of time 3 perhaps: the second's waits for it.
        assert_eq!(takes(&[head(&[1, 3], true), head(&[2, 3, 4], false)]), [2, 1]);
        // The second has one perhaps: the first's come before it.
        assert_eq!(takes(&[head(&[1, 3, 4], false), head(&[2, 3], true)]), [2, 2]);
        let whole = |times: &'static [i64]| Head { times, more: true, whole: true };
        assert_eq!(takes(&[whole(&[2, 9]), head(&[1, 5], true)]), [2, 2]);
        assert_eq!(takes(&[whole(&[6, 9]), head(&[1, 5], true)]), [0, 2]);
    }
}
