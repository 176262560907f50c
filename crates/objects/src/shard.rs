//! The share of one process in the objects of a kind (docs/decisions/0057-shards.md).

use crate::hash::number_of;
use std::fmt;
use std::str::FromStr;

/// The largest number of shards: each of them receives every event of its kinds. The roles of the controllers name the leases of
/// so many.
pub const MOST: u16 = 16;

/// One of several shards. Every object belongs to exactly one of them, by a hash of its namespace and name.
///
/// The hash is part of the contract between releases: while an upgrade replaces one shard after the other, both have to agree on
/// which shard an object belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u16,
    count: u16,
}

impl Shard {
    /// The only shard, to which every object belongs.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Number of shards.
    pub fn count(self) -> u16 {
        self.count
    }

    /// Whether an object belongs to this shard.
    pub fn has(self, namespace: &str, name: &str) -> bool {
        self == Self::WHOLE
            || number_of(format!("{namespace}/{name}").as_bytes()) % u64::from(self.count)
                == u64::from(self.index)
    }

    /// Name of the Lease of this shard, given the name of that of a controller without shards.
    pub fn lease(self, base: &str) -> String {
        if self == Self::WHOLE { base.to_owned() } else { format!("{base}-{}", self.index) }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = || {
            let (index, count) = text.split_once('/')?;
            Some((index.parse().ok()?, count.parse().ok()?))
        };
        match numbers() {
            Some((index, count)) if index < count && count <= MOST => Ok(Self { index, count }),
            _ => Err(format!("not a shard such as 0/3, 1/3 or 2/3 of three; there may be {MOST} at most")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shards(count: u16) -> Vec<Shard> {
        (0..count).map(|index| Shard { index, count }).collect()
    }

    #[test]
    fn every_object_belongs_to_one_shard_and_shards_are_of_one_size() {
        for count in [1, 2, 3, 7] {
            let mut sizes = vec![0; usize::from(count)];
            for number in 0..3000 {
                let of: Vec<_> =
                    shards(count).into_iter().filter(|s| s.has("ns", &format!("fn-{number}"))).collect();
                let [shard] = of[..] else { panic!("{number} belongs to {of:?}") };
                sizes[usize::from(shard.index)] += 1;
            }
            let even = 3000 / i32::from(count);
            assert!(sizes.iter().all(|size| (size - even).abs() < even / 8), "{sizes:?}");
        }
    }

    #[test]
    fn other_releases_agree_on_the_shard_of_an_object() {
        let of = |namespace: &str, name: &str| {
            shards(5).into_iter().find(|shard| shard.has(namespace, name)).unwrap().to_string()
        };
        let objects = [("default", "exclamation"), ("default", "f"), ("a", "b/c"), ("", "")];
        assert_eq!(objects.map(|(namespace, name)| of(namespace, name)), ["0/5", "4/5", "3/5", "0/5"]);
    }

    #[test]
    fn a_shard_is_an_index_and_a_number() {
        for text in ["0/1", "0/3", "2/3", "15/16"] {
            assert_eq!(text.parse::<Shard>().unwrap().to_string(), text);
        }
        for text in ["", "1", "3/3", "1/0", "0/0", "-1/3", "0/17", "1/2/3", "a/3", " 0/3"] {
            assert!(text.parse::<Shard>().unwrap_err().contains("0/3"), "{text}");
        }
    }

    #[test]
    fn each_shard_has_a_lease() {
        assert_eq!(Shard::WHOLE.lease("c"), "c");
        assert_eq!(shards(3).into_iter().map(|s| s.lease("c")).collect::<Vec<_>>(), ["c-0", "c-1", "c-2"]);
    }
}
