//! Decoding of Nexmark bids in JSON, beside arrow-json on the same bytes.

use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Schema};
use arrow_json::ReaderBuilder;
use millpond::internals::{Decoder, Part, decoder};
use millpond::types::SqlType;

use crate::Entry;
use crate::bids::{BATCH_ROWS, BATCHES, Batch, COLUMNS, bids, layout};

pub const NAMES: [&str; 2] = ["decode JSON bid, 7 of 7", "decode JSON bid, 2 of 7"];

pub fn entries() -> Vec<Entry> {
    let batches = Rc::new(bids(BATCHES));
    vec![entry(NAMES[0], &[0, 1, 2, 3, 4, 5, 6], 1.5, 2.0, &batches), entry(NAMES[1], &[0, 2], 3.0, 5.0, &batches)]
}

fn entry(name: &'static str, wanted: &'static [usize], floor: f64, aim: f64, batches: &Rc<Vec<Batch>>) -> Entry {
    let mut decoder = decoder(&layout(), wanted).expect("JSON has all types");
    assert_same(&mut *decoder, wanted, &batches[0]);
    let (ours, theirs) = (Rc::clone(batches), Rc::clone(batches));
    Entry {
        name,
        bound_name: "arrow-json",
        floor,
        aim,
        rows: batches.iter().map(|batch| batch.records.len()).sum(),
        bytes: batches.iter().map(|batch| batch.records.data.len()).sum(),
        work: Box::new(move || {
            for batch in ours.iter() {
                black_box(decoder.decode(&batch.records, Part::Value));
            }
        }),
        after: Box::new(|| ()),
        bound: Box::new(move || {
            let mut decoder = arrow_decoder(wanted);
            for batch in theirs.iter() {
                black_box(arrow_columns(&mut decoder, &batch.lines));
            }
        }),
    }
}

/// A ratio of two results that differ would mean nothing.
fn assert_same(decoder: &mut dyn Decoder, wanted: &[usize], batch: &Batch) {
    let decoded = decoder.decode(&batch.records, Part::Value);
    assert!(decoded.bad.is_empty(), "{:?}", decoded.bad.first());
    assert_eq!(decoded.columns, arrow_columns(&mut arrow_decoder(wanted), &batch.lines));
}

fn arrow_decoder(wanted: &[usize]) -> arrow_json::reader::Decoder {
    let field = |i: &usize| {
        let (name, ty) = &COLUMNS[*i];
        let ty = if *ty == SqlType::String { DataType::Utf8 } else { DataType::Int64 };
        Field::new(*name, ty, true)
    };
    let schema = Schema::new(wanted.iter().map(field).collect::<Vec<_>>());
    ReaderBuilder::new(Arc::new(schema)).with_batch_size(BATCH_ROWS).build_decoder().expect("a decoder")
}

fn arrow_columns(decoder: &mut arrow_json::reader::Decoder, lines: &[u8]) -> Vec<ArrayRef> {
    assert_eq!(decoder.decode(lines).expect("JSON"), lines.len());
    decoder.flush().expect("rows").expect("a batch").columns().to_vec()
}
