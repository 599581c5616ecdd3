//! The options of `millpond group ...`.

use clap::{Args, Subcommand};

use super::{StartOffset, parse_offset, parse_time};

#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// Lists the groups: state, members, whose they are
    #[command(visible_alias = "ls")]
    List {
        /// Also millpond's own groups
        #[arg(long)]
        all: bool,
    },
    /// Shows what a group has read of each partition, and who is at work in it
    Describe {
        /// Its name, or the id of a persistent query
        group: String,
    },
    /// Lets a group read from elsewhere; nobody may be at work in it
    Reset(ResetOptions),
}

#[derive(Debug, Args)]
pub struct ResetOptions {
    /// Its name, or the id of a persistent query
    pub group: String,
    #[command(flatten)]
    pub to: To,
    /// Only this topic, or these partitions of it: T, T:0 or T:0,2. May be given more than once [default: all that the group
    /// has read]
    #[arg(long, value_name = "T[:N,...]", value_parser = parse_topic)]
    pub topic: Vec<TopicChoice>,
    /// Shows what would be set, and changes nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, Copy, Args)]
#[group(required = true, multiple = false)]
pub struct To {
    /// To the first or behind the last record: `earliest` or `latest`
    #[arg(long, value_name = "WHERE", value_parser = parse_end)]
    to: Option<StartOffset>,
    /// To this offset
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = parse_number)]
    to_offset: Option<StartOffset>,
    /// To the first record of this time or later: epoch milliseconds or ISO 8601
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    to_datetime: Option<i64>,
}

/// Where a group is to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetTo {
    Offset(StartOffset),
    /// Epoch milliseconds.
    Time(i64),
}

impl To {
    /// None: the command line doesn't say, which it is refused for.
    pub fn get(self) -> Option<ResetTo> {
        self.to.or(self.to_offset).map(ResetTo::Offset).or(self.to_datetime.map(ResetTo::Time))
    }
}

/// A topic, or some of its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicChoice {
    pub topic: String,
    /// None: all.
    pub partitions: Option<Vec<u32>>,
}

fn parse_end(text: &str) -> Result<StartOffset, String> {
    match parse_offset(text) {
        Ok(offset @ (StartOffset::Earliest | StartOffset::Latest)) => Ok(offset),
        _ => Err("expected `earliest` or `latest` (--to-offset and --to-datetime take others)".to_owned()),
    }
}

fn parse_number(text: &str) -> Result<StartOffset, String> {
    match parse_offset(text) {
        Ok(offset @ StartOffset::At(_)) => Ok(offset),
        _ => Err("expected an offset from 0 on".to_owned()),
    }
}

/// A topic's name has no colon.
fn parse_topic(text: &str) -> Result<TopicChoice, String> {
    let Some((topic, partitions)) = text.split_once(':') else {
        return Ok(TopicChoice { topic: text.to_owned(), partitions: None });
    };
    let partitions: Result<Vec<u32>, _> = partitions.split(',').map(|number| number.trim().parse()).collect();
    match partitions {
        Ok(partitions) => Ok(TopicChoice { topic: topic.to_owned(), partitions: Some(partitions) }),
        Err(_) => Err("expected a topic, or a topic and its partitions, as flights:0,2".to_owned()),
    }
}
