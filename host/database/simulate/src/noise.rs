//! Randomness from a seed: the same seed, the same noise, on every machine.

/// A stream of random numbers (SplitMix64, Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub struct Noise(u64);

impl Noise {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Below `limit`; 0 if that is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.bits() % limit.max(1)
    }

    /// From 0 to 1, without 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whether something of this probability happens.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Normal, with mean 0 and deviation 1 (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// What a latency is multiplied with: lognormal with deviation `sigma`, and one run in fifty is five to fifty
    /// times as slow because something else had the machine. The mean is 1, so that noise makes nothing dearer.
    pub fn latency(&mut self, sigma: f64) -> f64 {
        let pauses = if sigma > 0.0 { 0.98 + 0.02 * 27.5 } else { 1.0 };
        let usual = (sigma * self.normal() - sigma * sigma / 2.0).exp() / pauses;
        if sigma > 0.0 && self.chance(0.02) {
            usual * (5.0 + 45.0 * self.unit())
        } else {
            usual
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_noise_has_the_shape_it_says() {
        let mut noise = Noise::new(1);
        let n = 100_000;
        let (mut sum, mut squares, mut latencies, mut slow) = (0.0, 0.0, 0.0, 0);
        for _ in 0..n {
            let normal = noise.normal();
            sum += normal;
            squares += normal * normal;
            let latency = noise.latency(0.3);
            latencies += latency;
            slow += u32::from(latency > 2.5);
        }
        assert!((sum / f64::from(n)).abs() < 0.02);
        assert!((squares / f64::from(n) - 1.0).abs() < 0.02);
        assert!((latencies / f64::from(n) - 1.0).abs() < 0.05);
        assert!((1_700..2_300).contains(&slow), "{slow}");
    }
}
