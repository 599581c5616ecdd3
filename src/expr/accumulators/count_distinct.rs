//! COUNT_DISTINCT: exact while there are few values, then a HyperLogLog sketch of 2^14 registers (about 1 % off).

use arrow::array::{Array, ArrayRef};

use super::composite::{Composite, Grouped};
use super::{Made, arg};
use crate::expr::accumulator::AggregateCall;
use crate::state::codec::{put_bytes, take_array, take_bytes, write_cell};
use crate::types::SqlType;

/// COUNT_DISTINCT(x): how many different values there are, NULL not counted.
pub(crate) fn count_distinct(call: &AggregateCall) -> Made {
    arg(call, 0)?;
    Ok(Box::new(Grouped::new(CountDistinct { scratch: Vec::new() })))
}

/// A hash that is the same for ever: it lies in changelogs. FNV-1a, then the finisher of Murmur3.
pub(super) fn stable_hash(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for &byte in bytes {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

const REGISTERS: usize = 1 << 14;
/// As many hashes take half of a sketch's bytes.
const EXACT_MAX: usize = REGISTERS / 16;

#[derive(Debug)]
enum Distinct {
    /// Sorted hashes.
    Exact(Vec<u64>),
    /// The greatest rank seen by each register.
    Sketch(Vec<u8>),
}

impl Default for Distinct {
    fn default() -> Self {
        Distinct::Exact(Vec::new())
    }
}

impl Distinct {
    fn add(&mut self, hash: u64) {
        match self {
            Distinct::Exact(hashes) => {
                if let Err(place) = hashes.binary_search(&hash) {
                    hashes.insert(place, hash);
                    if hashes.len() > EXACT_MAX {
                        let mut registers = vec![0; REGISTERS];
                        hashes.iter().for_each(|&hash| sketch(&mut registers, hash));
                        *self = Distinct::Sketch(registers);
                    }
                }
            }
            Distinct::Sketch(registers) => sketch(registers, hash),
        }
    }

    fn count(&self) -> i64 {
        match self {
            Distinct::Exact(hashes) => hashes.len() as i64,
            Distinct::Sketch(registers) => estimate(registers),
        }
    }
}

fn sketch(registers: &mut [u8], hash: u64) {
    let register = (hash >> 50) as usize;
    // The other 50 bits, with a stop behind them.
    let rank = ((hash << 14) | (1 << 13)).leading_zeros() as u8 + 1;
    registers[register] = registers[register].max(rank);
}

/// The estimate of Flajolet et al., with linear counting where registers are empty.
fn estimate(registers: &[u8]) -> i64 {
    let m = REGISTERS as f64;
    let sum: f64 = registers.iter().map(|&rank| 2f64.powi(-i32::from(rank))).sum();
    let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
    let zeros = registers.iter().filter(|&&rank| rank == 0).count();
    if raw <= 2.5 * m && zeros > 0 { (m * (m / zeros as f64).ln()).round() as i64 } else { raw.round() as i64 }
}

struct CountDistinct {
    scratch: Vec<u8>,
}

impl Composite for CountDistinct {
    type Group = Distinct;

    const CAN_UNDO: bool = false;

    fn returns(&self) -> &SqlType {
        &SqlType::Bigint
    }

    fn add(&mut self, group: &mut Distinct, args: &[ArrayRef], row: usize) -> Result<(), String> {
        if args[0].is_valid(row) {
            self.scratch.clear();
            write_cell(&args[0], row, &mut self.scratch);
            group.add(stable_hash(&self.scratch));
        }
        Ok(())
    }

    fn merge(&mut self, from: &Distinct, into: &mut Distinct) {
        match (from, &mut *into) {
            (Distinct::Exact(hashes), _) => hashes.iter().for_each(|&hash| into.add(hash)),
            (Distinct::Sketch(from), Distinct::Sketch(registers)) => {
                registers.iter_mut().zip(from).for_each(|(register, &rank)| *register = rank.max(*register));
            }
            (Distinct::Sketch(from), Distinct::Exact(hashes)) => {
                let mut registers = from.clone();
                hashes.iter().for_each(|&hash| sketch(&mut registers, hash));
                *into = Distinct::Sketch(registers);
            }
        }
    }

    fn result(&self, group: &Distinct, out: &mut Vec<u8>) {
        out.push(1);
        out.extend_from_slice(&group.count().to_le_bytes());
    }

    /// BYTES: 0 and the hashes (little-endian), or 1 and the registers.
    fn state_types(&self) -> Vec<SqlType> {
        vec![SqlType::Bytes]
    }

    fn save(&self, group: &Distinct, out: &mut Vec<u8>) {
        let mut bytes = Vec::new();
        match group {
            Distinct::Exact(hashes) => {
                bytes.push(0);
                hashes.iter().for_each(|hash| bytes.extend_from_slice(&hash.to_le_bytes()));
            }
            Distinct::Sketch(registers) => {
                bytes.push(1);
                bytes.extend_from_slice(registers);
            }
        }
        out.push(1);
        put_bytes(out, &bytes);
    }

    fn load(&mut self, cells: &mut &[u8]) -> Option<Distinct> {
        if take_array::<1>(cells)? == [0] {
            return Some(Distinct::default());
        }
        let (&kind, rest) = take_bytes(cells)?.split_first()?;
        match kind {
            0 => {
                let mut hashes: Vec<u64> =
                    rest.chunks_exact(8).filter_map(|chunk| chunk.try_into().ok().map(u64::from_le_bytes)).collect();
                hashes.sort_unstable();
                Some(Distinct::Exact(hashes))
            }
            1 if rest.len() == REGISTERS => Some(Distinct::Sketch(rest.to_vec())),
            _ => None,
        }
    }

    fn heap(&self, group: &Distinct) -> usize {
        match group {
            Distinct::Exact(hashes) => hashes.capacity() * 8,
            Distinct::Sketch(registers) => registers.capacity(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_is_within_three_percent() {
        for n in [1u64, 100, 1024, 1025, 20_000, 300_000] {
            let mut distinct = Distinct::default();
            for value in (0..n).chain(0..n / 2) {
                distinct.add(stable_hash(&value.to_le_bytes()));
            }
            let off = (distinct.count() - n as i64).unsigned_abs() as f64 / n as f64;
            assert!(if n <= 1024 { off == 0.0 } else { off < 0.03 }, "{n}: {}", distinct.count());
        }
    }
}
