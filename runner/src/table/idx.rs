//! The IDX format of the MNIST files: grey images and their labels, gzip packed.
//!
//! Source: <https://yann.lecun.com/exdb/mnist/>. A big-endian header (magic
//! number, then one 32-bit size per dimension) is followed by unsigned bytes.

use crate::failure::Explain;
use flate2::read::MultiGzDecoder;
use ndarray::Array2;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Magic number of unsigned bytes in three dimensions.
const IMAGES_MAGIC: u32 = 0x0000_0803;
/// Magic number of unsigned bytes in one dimension.
const LABELS_MAGIC: u32 = 0x0000_0801;
/// Most bytes of content that are unpacked: 20 times MNIST.
const MAX_CONTENT_BYTES: u64 = 1 << 30;

/// Why an IDX file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", path.display())]
pub struct IdxError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub fault: IdxFault,
}

/// What is wrong with an IDX file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdxFault {
    /// The file cannot be read, or is not gzip, or is cut short.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file is of another kind.
    #[error(
        "starts with magic number {found:#010x} instead of {expected:#010x}: not a file of {what}"
    )]
    Magic {
        /// What was expected.
        what: &'static str,
        /// The magic number of that.
        expected: u32,
        /// The magic number found.
        found: u32,
    },
    /// The header announces more than any file of this kind holds.
    #[error("announces {0} bytes; at most {MAX_CONTENT_BYTES} are accepted")]
    TooLarge(u64),
    /// The header announces nothing.
    #[error("announces no content")]
    Empty,
    /// There are fewer bytes than announced.
    #[error("is cut short: {expected} bytes announced, {found} found")]
    Short {
        /// Bytes announced by the header.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// There are more bytes than announced.
    #[error("goes on after the {0} bytes that its header announces")]
    Trailing(u64),
    /// A label is no class number.
    #[error("label {row} (counted from 1) is {label}; classes are 0 to {}", classes - 1)]
    Label {
        /// Position of the label, from 1.
        row: usize,
        /// Its value.
        label: u8,
        /// How many classes there are.
        classes: u8,
    },
    /// The images have another size than was asked for.
    #[error("has images of {} by {} pixels instead of {} by {}", found[0], found[1], expected[0], expected[1])]
    Size {
        /// Height and width that were asked for.
        expected: [usize; 2],
        /// Height and width in the header.
        found: [u32; 2],
    },
    /// Images and labels do not belong together.
    #[error("has {labels} labels for {images} images")]
    Count {
        /// Images in the image file.
        images: usize,
        /// Labels in this file.
        labels: usize,
    },
}

impl Explain for IdxError {
    fn hint(&self) -> Option<String> {
        Some("use the original gzip-packed files of the data set, unaltered".into())
    }
}

/// Reads a gzip-packed IDX file of images of `[height, width]` pixels: one row
/// per image, one column per pixel, in reading order.
///
/// # Errors
/// When the file is no well-formed image file, or of images of another size.
pub fn read_images(path: &Path, size: [usize; 2]) -> Result<Array2<u8>, IdxError> {
    open(path, |reader| parse_images(reader, size))
}

/// Reads a gzip-packed IDX file of labels: class numbers below `classes`.
///
/// # Errors
/// When the file is no well-formed label file or a label is no class.
pub fn read_labels(path: &Path, classes: u8) -> Result<Vec<u8>, IdxError> {
    open(path, |reader| parse_labels(reader, classes))
}

/// Reads images and the labels that belong to them.
///
/// # Errors
/// When either file is not well-formed or their counts differ.
pub fn read_pair(
    images: &Path,
    labels: &Path,
    size: [usize; 2],
    classes: u8,
) -> Result<(Array2<u8>, Vec<u8>), IdxError> {
    let pixels = read_images(images, size)?;
    let numbers = read_labels(labels, classes)?;
    if pixels.nrows() != numbers.len() {
        let fault = IdxFault::Count { images: pixels.nrows(), labels: numbers.len() };
        return Err(IdxError { path: labels.to_owned(), fault });
    }
    Ok((pixels, numbers))
}

fn open<T>(
    path: &Path,
    parse: impl FnOnce(&mut dyn Read) -> Result<T, IdxFault>,
) -> Result<T, IdxError> {
    File::open(path)
        .map_err(IdxFault::from)
        .and_then(|file| parse(&mut MultiGzDecoder::new(io::BufReader::new(file))))
        .map_err(|fault| IdxError { path: path.to_owned(), fault })
}

fn parse_images(reader: &mut dyn Read, size: [usize; 2]) -> Result<Array2<u8>, IdxFault> {
    expect_magic(reader, IMAGES_MAGIC, "images")?;
    let [count, height, width] = [read_u32(reader)?, read_u32(reader)?, read_u32(reader)?];
    if [height as usize, width as usize] != size {
        return Err(IdxFault::Size { expected: size, found: [height, width] });
    }
    let pixels = u64::from(height) * u64::from(width);
    let content = read_content(reader, u64::from(count).saturating_mul(pixels))?;
    // `read_content` bounds the product of both, so neither is truncated here.
    Array2::from_shape_vec((count as usize, pixels as usize), content)
        .map_err(|error| IdxFault::Io(io::Error::other(error)))
}

fn parse_labels(reader: &mut dyn Read, classes: u8) -> Result<Vec<u8>, IdxFault> {
    expect_magic(reader, LABELS_MAGIC, "labels")?;
    let count = read_u32(reader)?;
    let labels = read_content(reader, u64::from(count))?;
    match labels.iter().position(|&label| label >= classes) {
        Some(at) => Err(IdxFault::Label { row: at + 1, label: labels[at], classes }),
        None => Ok(labels),
    }
}

fn expect_magic(reader: &mut dyn Read, expected: u32, what: &'static str) -> Result<(), IdxFault> {
    match read_u32(reader)? {
        found if found == expected => Ok(()),
        found => Err(IdxFault::Magic { what, expected, found }),
    }
}

fn read_u32(reader: &mut dyn Read) -> Result<u32, IdxFault> {
    let mut bytes = [0; 4];
    reader.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}

/// Reads exactly the announced bytes, growing with what really arrives.
fn read_content(reader: &mut dyn Read, expected: u64) -> Result<Vec<u8>, IdxFault> {
    match expected {
        0 => return Err(IdxFault::Empty),
        1..=MAX_CONTENT_BYTES => {}
        _ => return Err(IdxFault::TooLarge(expected)),
    }
    let mut content = Vec::new();
    reader.take(expected + 1).read_to_end(&mut content)?;
    match content.len() as u64 {
        found if found == expected => Ok(content),
        found if found < expected => Err(IdxFault::Short { expected, found }),
        _ => Err(IdxFault::Trailing(expected)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;
    use std::io::Write;

    fn images_file(count: u32, content: &[u8]) -> Vec<u8> {
        let header = [IMAGES_MAGIC, count, 2, 2].map(u32::to_be_bytes).concat();
        [header, content.to_vec()].concat()
    }

    fn fault(bytes: &[u8]) -> String {
        parse_images(&mut &bytes[..], [2, 2]).unwrap_err().to_string()
    }

    #[test]
    fn images_and_labels_are_read_through_gzip() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            let mut gzip = GzEncoder::new(File::create(&path).unwrap(), Compression::fast());
            gzip.write_all(bytes).unwrap();
            gzip.finish().unwrap();
            path
        };
        let images = write("images.gz", &images_file(2, &[0, 1, 2, 3, 4, 5, 6, 255]));
        let labels = write("labels.gz", &[&[0, 0, 8, 1, 0, 0, 0, 2], &[9, 0][..]].concat());
        let three = write("three.gz", &[&[0, 0, 8, 1, 0, 0, 0, 3], &[9, 0, 1][..]].concat());

        let (pixels, numbers) = read_pair(&images, &labels, [2, 2], 10).unwrap();
        assert_eq!(pixels, ndarray::array![[0, 1, 2, 3], [4, 5, 6, 255]]);
        assert_eq!(numbers, [9, 0]);
        let mismatch = read_pair(&images, &three, [2, 2], 10).unwrap_err().to_string();
        assert!(mismatch.ends_with("three.gz: has 3 labels for 2 images"), "{mismatch}");
        let swapped = read_images(&labels, [2, 2]).unwrap_err().to_string();
        assert!(swapped.contains("0x00000801 instead of 0x00000803"), "{swapped}");
        let tenth = read_labels(&labels, 9).unwrap_err().to_string();
        assert!(tenth.contains("label 1 (counted from 1) is 9; classes are 0 to 8"), "{tenth}");
        assert!(matches!(read_images(Path::new("/nowhere"), [2, 2]), Err(IdxError { .. })));
    }

    #[test]
    fn wrong_lengths_are_refused() {
        assert_eq!(fault(&images_file(2, &[0; 7])), "is cut short: 8 bytes announced, 7 found");
        assert_eq!(
            fault(&images_file(2, &[0; 9])),
            "goes on after the 8 bytes that its header announces"
        );
        assert_eq!(fault(&images_file(0, &[])), "announces no content");
        let huge = [IMAGES_MAGIC, u32::MAX, 2, 2].map(u32::to_be_bytes).concat();
        assert!(fault(&huge).contains("at most 1073741824 are accepted"));
        let wide = [IMAGES_MAGIC, 1, 2, u32::MAX].map(u32::to_be_bytes).concat();
        assert_eq!(fault(&wide), "has images of 2 by 4294967295 pixels instead of 2 by 2");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..64), real: bool) {
            if real {
                let start = images_file(1, &[]);
                bytes.splice(0..start.len().min(bytes.len()), start);
            }
            let _ = parse_images(&mut &bytes[..], [2, 2]);
            let _ = parse_labels(&mut &bytes[..], 10);
        }
    }
}
