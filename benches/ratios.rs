//! Ratios of our speed to a bound measured in the same run: `cargo bench --bench ratios [-- WORDS]`.
//!
//! Work and bound run in turn, so that both see the same machine; what counts is the CPU time of the whole process, the
//! median over the rounds. Queries get one worker thread. WORDS choose the works whose names hold one of them;
//! `--rounds=N` makes it last, for a profiler.

mod bids;
mod count;
mod decode;
mod filter;
mod joins;
mod measure;
mod query;
mod stream_table;

use measure::{Asked, Entry, cpu_time, measure, print_head};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let asked = Asked::of_command_line();
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("no pool was made before");
    print_head();
    // Names, and what makes the entries: of works that aren't chosen that would only take time.
    type Part = (&'static [&'static str], fn() -> Vec<Entry>);
    let parts: [Part; 5] = [
        (&decode::NAMES, decode::entries),
        (&[filter::NAME], filter::entries),
        (&[count::NAME], count::entries),
        (&[stream_table::NAME], stream_table::entries),
        (&joins::NAMES, joins::entries),
    ];
    for (names, entries) in parts {
        if names.iter().any(|name| asked.chooses(name)) {
            entries().iter_mut().for_each(|entry| measure(entry, &asked));
        }
    }
}
