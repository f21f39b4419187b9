//! Whether a JPEG's coded pixels are sound: every code is read, no pixel computed.
//!
//! Decoders show what they can. Where a sector of a disk was lost, that is a picture whose lower part is shifted, discoloured or
//! grey, and no word of it. Here a picture is damaged where a code doesn't exist, a block has more than 64 coefficients, a
//! brightness is out of range, or the codes end before or after the picture does. Sequential and progressive Huffman coding are
//! read, but for the refinements of AC coefficients; what else there is counts as sound.
//!
//! # Reference
//! ITU-T T.81 (1992), sections B.2 (markers), F.2.2 (sequential decoding), G.2 (progressive decoding).

/// What is wrong with the coded pixels of the first picture; `None` where nothing is found, and of what isn't read here.
pub(super) fn damage(bytes: &[u8]) -> Option<&'static str> {
    Walk::default().picture(bytes).err()
}

type Checked<T> = Result<T, &'static str>;

const NO_CODE: &str = "its coded pixels hold a code that doesn't exist";
const TOO_MANY: &str = "a block of its coded pixels is too long";
const RANGE: &str = "its coded pixels hold an impossible brightness";
const EARLY: &str = "its coded pixels end before the picture does";
const LATE: &str = "its coded pixels go on after the picture's end";
const RESTART: &str = "its coded pixels lack a restart marker";

/// Bits that may be left at the end of a scan: the rest of a byte, and a byte that some encoders add.
const LEFT_OVER: u32 = 15;

#[derive(Debug, Clone, Copy, Default)]
struct Component {
    id: u8,
    /// Blocks of a unit, across and down.
    h: usize,
    v: usize,
    quantizer: usize,
}

/// Everything that markers before a scan define.
#[derive(Default)]
struct Walk {
    width: usize,
    height: usize,
    progressive: bool,
    components: Vec<Component>,
    restart_interval: usize,
    /// DC tables, then AC tables.
    tables: [Option<Codes>; 8],
    /// The quantizers' steps for DC.
    steps: [i32; 4],
}

impl Walk {
    /// Walks the markers; scans are read, segments that define nothing are passed over.
    fn picture(&mut self, bytes: &[u8]) -> Checked<()> {
        let mut at = 2;
        // A file that ends here is judged by others.
        while let (Some(0xFF), Some(&marker)) = (bytes.get(at), bytes.get(at + 1)) {
            if marker == 0xFF {
                at += 1;
                continue;
            }
            let segment =
                bytes.get(at + 2..at + 4).map(|length| usize::from(u16::from_be_bytes([length[0], length[1]])));
            let (0x01..=0xCF | 0xDA..=0xFE, true, Some(length)) = (marker, marker != 0xD9, segment) else { break };
            let Some(body) = bytes.get(at + 4..at + 2 + length) else { break };
            at += 2 + length;
            let understood = match marker {
                0xC0..=0xC2 => self.frame(body, marker == 0xC2),
                0xC4 => self.huffman_tables(body),
                0xDB => self.quantizers(body),
                0xDD => body.get(..2).map(|b| self.restart_interval = usize::from(u16::from_be_bytes([b[0], b[1]]))),
                0xDA => {
                    let mut reader = Bits::new(&bytes[at..]);
                    match self.scan(body) {
                        Some(scan) => self.read_scan(&scan, &mut reader)?,
                        None => reader.skip_scan(),
                    }
                    at += reader.at;
                    Some(())
                }
                // Other kinds of coding.
                0xC3 | 0xC5..=0xCF if marker != 0xC8 && marker != 0xCC => None,
                _ => Some(()),
            };
            if understood.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn frame(&mut self, body: &[u8], progressive: bool) -> Option<()> {
        let &[8, h1, h0, w1, w0, count, ref rest @ ..] = body else { return None };
        (self.height, self.width) =
            (usize::from(u16::from_be_bytes([h1, h0])), usize::from(u16::from_be_bytes([w1, w0])));
        self.progressive = progressive;
        let component = |c: &[u8; 3]| Component {
            id: c[0],
            h: usize::from(c[1] >> 4),
            v: usize::from(c[1] & 15),
            quantizer: usize::from(c[2] & 3),
        };
        self.components = rest.as_chunks().0.iter().take(usize::from(count)).map(component).collect();
        let sound = |c: &Component| (1..=4).contains(&c.h) && (1..=4).contains(&c.v);
        // A height of 0 is told after the first scan.
        (self.width > 0 && self.height > 0 && !self.components.is_empty() && self.components.iter().all(sound))
            .then_some(())
    }

    fn huffman_tables(&mut self, mut body: &[u8]) -> Option<()> {
        while let [class_and_id, rest @ ..] = body {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let symbols = rest.get(..counts.iter().map(|count| usize::from(*count)).sum())?;
            let slot = usize::from(class_and_id >> 4 & 1) * 4 + usize::from(class_and_id & 3);
            self.tables[slot] = Some(Codes::new(counts, symbols));
            body = &rest[symbols.len()..];
        }
        Some(())
    }

    fn quantizers(&mut self, mut body: &[u8]) -> Option<()> {
        while let [precision_and_id, rest @ ..] = body {
            let wide = precision_and_id >> 4 != 0;
            let values = rest.get(..if wide { 128 } else { 64 })?;
            let first = if wide { i32::from(u16::from_be_bytes([values[0], values[1]])) } else { i32::from(values[0]) };
            self.steps[usize::from(precision_and_id & 3)] = first;
            body = &rest[values.len()..];
        }
        Some(())
    }

    /// What a scan's header asks for; `None` where it can't be followed.
    fn scan(&self, body: &[u8]) -> Option<Scan> {
        let (&count, rest) = body.split_first()?;
        let (parts, rest) = rest.split_at_checked(2 * usize::from(count))?;
        let &[first, last, approximation, ..] = rest else { return None };
        let part = |part: &[u8; 2]| {
            let component = *self.components.iter().find(|component| component.id == part[0])?;
            Some(Part { component, dc: usize::from(part[1] >> 4 & 3), ac: 4 + usize::from(part[1] & 3) })
        };
        let parts: Vec<Part> = parts.as_chunks().0.iter().map(part).collect::<Option<_>>()?;
        let (refines, shift) = (approximation >> 4 != 0, approximation & 15);
        let has_tables = |part: &Part| {
            (first > 0 || refines || self.tables[part.dc].is_some()) && (last == 0 || self.tables[part.ac].is_some())
        };
        let followed = !parts.is_empty() && parts.iter().all(has_tables) && last < 64 && !(refines && first > 0);
        followed.then_some(Scan { parts, first: usize::from(first), last: usize::from(last), refines, shift })
    }

    /// The units of a scan across and down: of one component its own blocks, of several what holds a block of each.
    fn units(&self, scan: &Scan) -> usize {
        let most = |side: fn(&Component) -> usize| self.components.iter().map(side).max().unwrap_or(1);
        let (most_h, most_v) = (most(|c| c.h), most(|c| c.v));
        match scan.parts.as_slice() {
            [Part { component: Component { h, v, .. }, .. }] => {
                (self.width * h).div_ceil(most_h).div_ceil(8) * (self.height * v).div_ceil(most_v).div_ceil(8)
            }
            _ => self.width.div_ceil(8 * most_h) * self.height.div_ceil(8 * most_v),
        }
    }

    fn read_scan(&self, scan: &Scan, bits: &mut Bits<'_>) -> Checked<()> {
        let mut levels = vec![0; scan.parts.len()];
        let mut empty_blocks = 0;
        let mut restarts = 0;
        for unit in 0..self.units(scan) {
            if self.restart_interval > 0 && unit > 0 && unit.is_multiple_of(self.restart_interval) {
                bits.restart(restarts)?;
                restarts = (restarts + 1) % 8;
                levels.fill(0);
                empty_blocks = 0;
            }
            for (part, level) in scan.parts.iter().zip(&mut levels) {
                let blocks = if scan.parts.len() == 1 { 1 } else { part.component.h * part.component.v };
                for _ in 0..blocks {
                    self.read_block(scan, part, level, &mut empty_blocks, bits)?;
                }
            }
        }
        bits.end()
    }

    fn read_block(
        &self,
        scan: &Scan,
        part: &Part,
        level: &mut i32,
        empty_blocks: &mut u32,
        bits: &mut Bits<'_>,
    ) -> Checked<()> {
        let table = |slot: usize| self.tables[slot].as_ref().ok_or(NO_CODE);
        if scan.first == 0 && scan.refines {
            bits.take(1)?;
        } else if scan.first == 0 {
            let size = u32::from(bits.symbol(table(part.dc)?)?);
            if size > 11 {
                return Err(NO_CODE);
            }
            let value = bits.take(size)? as i32;
            // The lower half of the values of a size stands for the negative ones.
            let negative = size > 0 && value < 1 << (size - 1);
            *level += if negative { value - (1 << size) + 1 } else { value };
            // 1024 is black or white; encoders may overshoot.
            if (*level << scan.shift).saturating_mul(self.steps[part.component.quantizer]).abs() > 2048 {
                return Err(RANGE);
            }
        }
        let last = if self.progressive { scan.last } else { 63 };
        if last == 0 {
            return Ok(());
        }
        if *empty_blocks > 0 {
            *empty_blocks -= 1;
            return Ok(());
        }
        let codes = table(part.ac)?;
        let mut k = scan.first.max(1);
        while k <= last {
            let symbol = bits.symbol(codes)?;
            let (run, size) = (symbol >> 4, u32::from(symbol & 15));
            match (run, size) {
                (15, 0) => k += 16,
                (run, 0) => {
                    if self.progressive {
                        *empty_blocks = (1 << run) - 1 + bits.take(u32::from(run))?;
                    }
                    break;
                }
                (run, size) => {
                    k += usize::from(run);
                    if k > last {
                        return Err(TOO_MANY);
                    }
                    bits.take(size)?;
                    k += 1;
                }
            }
        }
        Ok(())
    }
}

struct Scan {
    parts: Vec<Part>,
    /// Coefficients, by their zigzag numbers.
    first: usize,
    last: usize,
    refines: bool,
    shift: u8,
}

struct Part {
    component: Component,
    dc: usize,
    ac: usize,
}

/// Huffman codes: short ones are looked up by the next bits, longer ones found by their length.
struct Codes {
    /// Length and symbol; length 0 where no short code begins so.
    short: [(u8, u8); 1 << SHORT],
    /// For each length, the first 16 bits after its last code, and what turns a code into its symbol's place.
    long: [(usize, usize); 17],
    symbols: Vec<u8>,
}

/// Bits of a short code, at most: nearly all that occur.
const SHORT: usize = 9;

impl Codes {
    fn new(counts: &[u8; 16], symbols: &[u8]) -> Codes {
        let mut codes = Codes { short: [(0, 0); 1 << SHORT], long: [(0, 0); 17], symbols: symbols.to_vec() };
        let (mut next, mut place) = (0usize, 0usize);
        for (length, &count) in (1..=16usize).zip(counts) {
            let count = usize::from(count);
            if let Some(each) = SHORT.checked_sub(length) {
                for (number, &symbol) in symbols[place..place + count].iter().enumerate() {
                    let start = (next + number) << each;
                    if let Some(entries) = codes.short.get_mut(start..start + (1 << each)) {
                        entries.fill((length as u8, symbol));
                    }
                }
            }
            codes.long[length] = ((next + count) << (16 - length), place.wrapping_sub(next));
            place += count;
            next = (next + count) << 1;
        }
        codes
    }

    /// Length and symbol of the code that `bits` (16 of them) begin with.
    fn find(&self, bits: usize) -> Option<(u8, u8)> {
        match self.short[bits >> (16 - SHORT)] {
            (0, _) => (SHORT + 1..=16).find(|&length| bits < self.long[length].0).and_then(|length| {
                let place = (bits >> (16 - length)).wrapping_add(self.long[length].1);
                Some((length as u8, *self.symbols.get(place)?))
            }),
            found => Some(found),
        }
    }
}

/// The bits of a scan, up to the next marker.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    buffer: u64,
    available: u32,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Bits<'a> {
        Bits { bytes, at: 0, buffer: 0, available: 0 }
    }

    fn fill(&mut self) {
        while self.available <= 48 {
            let byte = match (self.bytes.get(self.at), self.bytes.get(self.at + 1)) {
                (Some(0xFF), Some(0)) => {
                    self.at += 2;
                    0xFF
                }
                (Some(0xFF) | None, _) => return,
                (Some(&byte), _) => {
                    self.at += 1;
                    byte
                }
            };
            self.buffer = self.buffer << 8 | u64::from(byte);
            self.available += 8;
        }
    }

    /// The next 16 bits, zeros after the end.
    fn ahead(&mut self) -> usize {
        if self.available < 16 {
            self.fill();
        }
        let bits = match self.available {
            16.. => self.buffer >> (self.available - 16),
            few => self.buffer << (16 - few),
        };
        (bits & 0xFFFF) as usize
    }

    fn symbol(&mut self, codes: &Codes) -> Checked<u8> {
        let (length, symbol) = codes.find(self.ahead()).ok_or(NO_CODE)?;
        self.take(u32::from(length))?;
        Ok(symbol)
    }

    /// Up to 16 bits.
    fn take(&mut self, count: u32) -> Checked<u32> {
        if self.available < count {
            self.fill();
        }
        self.available = self.available.checked_sub(count).ok_or(EARLY)?;
        Ok((self.buffer >> self.available) as u32 & ((1 << count) - 1))
    }

    /// Whether no more than a byte's rest is left before the next marker.
    fn end(&mut self) -> Checked<()> {
        self.fill();
        let is_marker = self.bytes.get(self.at).is_none_or(|byte| *byte == 0xFF);
        if self.available > LEFT_OVER || !is_marker { Err(LATE) } else { Ok(()) }
    }

    fn restart(&mut self, number: u8) -> Checked<()> {
        self.end()?;
        while self.bytes.get(self.at..self.at + 2) == Some(&[0xFF, 0xFF]) {
            self.at += 1;
        }
        if self.bytes.get(self.at..self.at + 2) != Some(&[0xFF, 0xD0 + number]) {
            return Err(RESTART);
        }
        self.at += 2;
        self.available = 0;
        Ok(())
    }

    /// To the marker after a scan that isn't read.
    fn skip_scan(&mut self) {
        let coded = |pair: &[u8]| pair[0] != 0xFF || matches!(pair[1], 0 | 0xD0..=0xD7);
        let end = self.bytes.windows(2).position(|pair| !coded(pair));
        self.at = end.unwrap_or(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use ::image::DynamicImage;
    use ::image::codecs::jpeg::JpegEncoder;
    use proptest::prelude::*;

    use super::*;

    /// A photograph-like picture as a JPEG.
    fn jpeg(width: usize, height: usize) -> Vec<u8> {
        let pixels = crate::formula::picture("scan", height, width, 9);
        let image = ::image::RgbImage::from_raw(width as u32, height as u32, pixels).unwrap();
        let mut bytes = Vec::new();
        DynamicImage::ImageRgb8(image).write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 85)).unwrap();
        bytes
    }

    #[test]
    fn sound_files_are_sound() {
        for (width, height) in [(1, 1), (8, 8), (17, 31), (64, 48), (100, 3)] {
            assert_eq!(damage(&jpeg(width, height)), None, "{width} × {height}");
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
        let mut tried = 0;
        let mut folders = vec![std::path::PathBuf::from(folder)];
        while let Some(next) = folders.pop() {
            for entry in std::fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "jpg") {
                    let bytes = crate::fs::read(&path).unwrap();
                    let whole = crate::image::decode(&bytes, &crate::image::Limits::default()).is_ok();
                    assert!(!whole || damage(&bytes).is_none(), "{}: {:?}", path.display(), damage(&bytes));
                    tried += 1;
                }
            }
        }
        assert!(tried > 0);
    }

    #[test]
    fn lost_parts_are_noticed() {
        let whole = jpeg(96, 96);
        let (mut noticed, mut tried) = (0, 0);
        for start in (700..whole.len() - 200).step_by(97) {
            let mut zeros = whole.clone();
            zeros[start..start + 128].fill(0);
            let mut gap = whole.clone();
            gap.drain(start..start + 128);
            noticed += usize::from(damage(&zeros).is_some()) + usize::from(damage(&gap).is_some());
            tried += 2;
        }
        // A gap may happen to end where the codes fall into step again and to be as long as a whole number of blocks.
        assert!(tried > 50 && 20 * noticed >= 19 * tried, "{noticed} of {tried}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = damage(&bytes);
            let _ = damage(&[b"\xFF\xD8\xFF\xDA", &bytes[..]].concat());
        }

        #[test]
        fn altered_files_are_answered(at in prop::collection::vec(0usize..2000, 1..8), byte: u8, progressive: bool) {
            let mut bytes = jpeg(24, 16);
            if progressive && let Some(start) = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]) {
                bytes[start + 1] = 0xC2;
            }
            let length = bytes.len();
            at.iter().for_each(|at| bytes[at % length] = byte);
            let _ = damage(&bytes);
        }
    }
}
