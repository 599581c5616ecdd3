//! Aggregates of one column of numbers: a fixed-size state a group, one tight loop a batch.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::buffer::NullBuffer;

use crate::expr::EvalErrors;
use crate::expr::accumulator::Accumulator;
use crate::types::SqlType;

/// What is done with the numbers of a group. A kernel holds no group's state itself.
pub(super) trait Kernel: Send {
    type In: ArrowPrimitiveType;
    type Out: ArrowPrimitiveType;
    type State: Copy + Send;

    const NAME: &'static str;
    const CAN_UNDO: bool;

    /// The state of a group without rows.
    fn init(&self) -> Self::State;
    /// Takes a value in.
    fn add(&self, state: &mut Self::State, value: <Self::In as ArrowPrimitiveType>::Native);
    /// Takes a value back out.
    fn remove(&self, state: &mut Self::State, value: <Self::In as ArrowPrimitiveType>::Native);
    fn merge(&self, from: &Self::State, into: &mut Self::State);
    /// Whether the result fits its type; where not it is NULL, and the rows that see it so are told of.
    fn fits(&self, state: &Self::State) -> bool {
        let _ = state;
        true
    }
    fn result(&self, state: &Self::State) -> Option<<Self::Out as ArrowPrimitiveType>::Native>;
    fn state_types(&self) -> Vec<SqlType>;
    fn save(&self, states: &mut dyn Iterator<Item = Self::State>) -> Vec<ArrayRef>;
    fn load(&self, columns: &[ArrayRef], row: usize) -> Self::State;
}

type Native<T> = <T as ArrowPrimitiveType>::Native;

/// A kernel with the states of all groups.
pub(super) struct Numeric<K: Kernel> {
    kernel: K,
    returns: SqlType,
    states: Vec<K::State>,
}

impl<K: Kernel> Numeric<K> {
    pub(super) fn new(kernel: K, returns: SqlType) -> Self {
        Numeric { kernel, returns, states: Vec::new() }
    }

    fn results(&self, states: impl Iterator<Item = K::State>) -> ArrayRef {
        let array: PrimitiveArray<K::Out> = states.map(|state| self.kernel.result(&state)).collect();
        self.typed(array)
    }

    /// Sets precision and scale.
    fn typed(&self, array: PrimitiveArray<K::Out>) -> ArrayRef {
        match self.returns {
            SqlType::Decimal { .. } => Arc::new(array.with_data_type(self.returns.to_arrow())),
            _ => Arc::new(array),
        }
    }
}

/// A column's values with its validity.
fn values<T: ArrowPrimitiveType>(args: &[ArrayRef]) -> (&[Native<T>], Option<&NullBuffer>) {
    let column = args[0].as_primitive::<T>();
    (column.values(), column.nulls().filter(|nulls| nulls.null_count() > 0))
}

impl<K: Kernel> Accumulator for Numeric<K> {
    fn returns(&self) -> &SqlType {
        &self.returns
    }

    fn resize(&mut self, groups: usize) {
        self.states.resize(groups, self.kernel.init());
    }

    fn update(&mut self, args: &[ArrayRef], rows: &[u32], groups: &[u32], errors: &mut EvalErrors) {
        let (values, nulls) = values::<K::In>(args);
        for (&row, &group) in rows.iter().zip(groups) {
            let state = &mut self.states[group as usize];
            if !nulls.is_some_and(|nulls| nulls.is_null(row as usize)) {
                self.kernel.add(state, values[row as usize]);
            }
            // A row without value as well: the sessions that it joined may be too much together.
            if !self.kernel.fits(state) {
                overflow::<K>(row, errors);
            }
        }
    }

    fn update_each(&mut self, args: &[ArrayRef], rows: &[u32], groups: &[u32], errors: &mut EvalErrors) -> ArrayRef {
        let (values, nulls) = values::<K::In>(args);
        let mut after = Vec::with_capacity(rows.len());
        for (&row, &group) in rows.iter().zip(groups) {
            let state = &mut self.states[group as usize];
            if !nulls.is_some_and(|nulls| nulls.is_null(row as usize)) {
                self.kernel.add(state, values[row as usize]);
            }
            if !self.kernel.fits(state) {
                overflow::<K>(row, errors);
            }
            after.push(*state);
        }
        self.results(after.into_iter())
    }

    fn undo(&mut self, args: &[ArrayRef], rows: &[u32], groups: &[u32], errors: &mut EvalErrors) {
        let (values, nulls) = values::<K::In>(args);
        for (&row, &group) in rows.iter().zip(groups) {
            if nulls.is_some_and(|nulls| nulls.is_null(row as usize)) {
                continue;
            }
            let state = &mut self.states[group as usize];
            let fitted = self.kernel.fits(state);
            self.kernel.remove(state, values[row as usize]);
            // The row that took it beyond was told of; here only one that does so by going.
            if fitted && !self.kernel.fits(state) {
                overflow::<K>(row, errors);
            }
        }
    }

    fn can_undo(&self) -> bool {
        K::CAN_UNDO
    }

    fn emit(&self, groups: &[u32]) -> ArrayRef {
        self.results(groups.iter().map(|&group| self.states[group as usize]))
    }

    fn merge(&mut self, from: u32, into: u32) {
        let from = self.states[from as usize];
        self.kernel.merge(&from, &mut self.states[into as usize]);
    }

    fn reset(&mut self, group: u32) {
        self.states[group as usize] = self.kernel.init();
    }

    fn state(&self, groups: &[u32]) -> Vec<ArrayRef> {
        self.kernel.save(&mut groups.iter().map(|&group| self.states[group as usize]))
    }

    fn state_types(&self) -> Vec<SqlType> {
        self.kernel.state_types()
    }

    fn restore(&mut self, state: &[ArrayRef], rows: &[u32], groups: &[u32]) {
        for (&row, &group) in rows.iter().zip(groups) {
            self.states[group as usize] = self.kernel.load(state, row as usize);
        }
    }

    fn bytes(&self) -> usize {
        self.states.capacity() * size_of::<K::State>()
    }

    fn group_bytes(&self, _group: u32) -> usize {
        size_of::<K::State>()
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

#[cold]
fn overflow<K: Kernel>(row: u32, errors: &mut EvalErrors) {
    errors.push(row as usize, format!("{}: the result does not fit its type; it is NULL until it does", K::NAME));
}
