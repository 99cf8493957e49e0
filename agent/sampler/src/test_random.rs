//! A small seeded generator for the fuzz loops (SplitMix64). The seed is printed, so that a failure can be repeated with
//! CINDERBLOCK_SEED.

pub struct Random(u64);

impl Random {
    pub fn from_environment() -> Random {
        let seed = std::env::var("CINDERBLOCK_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().map_or(1, |time| time.as_nanos() as u64));
        println!("CINDERBLOCK_SEED={seed}");
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `[0, limit)`; `limit` must not be zero.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
