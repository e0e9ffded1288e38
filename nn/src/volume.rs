//! Images as rows, and windows over them.
//!
//! An image is a row of `height x width x channels` numbers, the channels of a pixel side by
//! side. So the output of a convolution, a row of filters for each window, *is* the image of
//! those filters: nothing has to be moved.

use mpc_core::ring::RowMap;
use serde::{Deserialize, Serialize};

/// The shape of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[usize; 3]", into = "[usize; 3]")]
pub struct Volume {
    /// Rows of pixels.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Numbers a pixel.
    pub channels: usize,
}

impl From<[usize; 3]> for Volume {
    fn from([height, width, channels]: [usize; 3]) -> Self {
        Volume { height, width, channels }
    }
}

impl From<Volume> for [usize; 3] {
    fn from(volume: Volume) -> Self {
        [volume.height, volume.width, volume.channels]
    }
}

impl Volume {
    /// Numbers in an image; the largest number there is if there are more.
    pub fn len(&self) -> usize {
        self.height.saturating_mul(self.width).saturating_mul(self.channels)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Windows that slide over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// The image.
    pub input: Volume,
    /// Height and width of a window.
    pub kernel: [usize; 2],
    /// From one window to the next, either way.
    pub stride: usize,
    /// Zeros around the image.
    pub padding: usize,
}

impl Windows {
    /// How many windows fit below and beside each other; none where the image is too small.
    pub fn places(&self) -> Option<[usize; 2]> {
        let along = |side: usize, kernel: usize| {
            let room = side.checked_add(2 * self.padding)?.checked_sub(kernel)?;
            Some(room / self.stride + 1)
        };
        let Volume { height, width, .. } = self.input;
        Some([along(height, self.kernel[0])?, along(width, self.kernel[1])?])
    }

    /// Numbers in a window.
    pub fn len(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.input.channels
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Pixels in a window.
    pub fn pixels(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// The image of so many channels that has a pixel for each window; an empty one where
    /// the image is too small.
    pub fn output(&self, channels: usize) -> Volume {
        let [height, width] = self.places().unwrap_or_default();
        Volume { height, width, channels }
    }

    /// Where pixel `[y, x]` of the window at `[row, column]` is in the image, channel 0.
    fn place(&self, [row, column]: [usize; 2], [y, x]: [usize; 2]) -> Option<usize> {
        let Volume { height, width, channels } = self.input;
        let y = (row * self.stride + y).checked_sub(self.padding).filter(|y| *y < height)?;
        let x = (column * self.stride + x).checked_sub(self.padding).filter(|x| *x < width)?;
        Some((y * width + x) * channels)
    }

    /// All windows side by side, each a row of [`Windows::len`] numbers.
    pub fn side_by_side(&self) -> RowMap {
        let places = pairs(self.places().unwrap_or_default());
        let places = places.flat_map(|window| {
            pairs(self.kernel).flat_map(move |pixel| self.channels(self.place(window, pixel)))
        });
        RowMap::new(self.input.len(), places)
    }

    /// All windows pixel by pixel: first the first pixels of all windows, then the second
    /// ones. Each of these parts has the layout of [`Windows::output`].
    pub fn by_pixel(&self) -> RowMap {
        let places = pairs(self.kernel).flat_map(|pixel| {
            pairs(self.places().unwrap_or_default())
                .flat_map(move |window| self.channels(self.place(window, pixel)))
        });
        RowMap::new(self.input.len(), places)
    }

    fn channels(&self, first: Option<usize>) -> impl Iterator<Item = Option<usize>> + use<> {
        (0..self.input.channels).map(move |channel| first.map(|first| first + channel))
    }
}

/// All pairs of numbers below the given ones, the second running faster.
fn pairs([rows, columns]: [usize; 2]) -> impl Iterator<Item = [usize; 2]> {
    (0..rows).flat_map(move |row| (0..columns).map(move |column| [row, column]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(map: &RowMap) -> Vec<u64> {
        let image: Vec<u64> = (1..=map.short() as u64).collect();
        let mut long = vec![0; map.long()];
        map.gather(&image, &mut long);
        long
    }

    #[test]
    fn windows_of_a_small_image() {
        let input = Volume { height: 3, width: 3, channels: 1 };
        let windows = Windows { input, kernel: [2, 2], stride: 1, padding: 0 };
        assert_eq!(windows.places(), Some([2, 2]));
        assert_eq!(
            gathered(&windows.side_by_side()),
            [1, 2, 4, 5, 2, 3, 5, 6, 4, 5, 7, 8, 5, 6, 8, 9]
        );
        assert_eq!(gathered(&windows.by_pixel()), [1, 2, 4, 5, 2, 3, 5, 6, 4, 5, 7, 8, 5, 6, 8, 9]);
        let strided = Windows { stride: 2, padding: 1, ..windows };
        assert_eq!(strided.places(), Some([2, 2]));
        assert_eq!(
            gathered(&strided.side_by_side()),
            [0, 0, 0, 1, 0, 0, 2, 3, 0, 4, 0, 7, 5, 6, 8, 9]
        );
    }

    #[test]
    fn channels_stay_together() {
        let input = Volume { height: 1, width: 3, channels: 2 };
        let windows = Windows { input, kernel: [1, 2], stride: 1, padding: 0 };
        assert_eq!(gathered(&windows.side_by_side()), [1, 2, 3, 4, 3, 4, 5, 6]);
        assert_eq!(gathered(&windows.by_pixel()), [1, 2, 3, 4, 3, 4, 5, 6]);
        assert_eq!(windows.output(7), Volume { height: 1, width: 2, channels: 7 });
    }

    #[test]
    fn an_image_that_is_too_small_has_no_window() {
        let input = Volume { height: 2, width: 9, channels: 1 };
        let windows = Windows { input, kernel: [3, 3], stride: 1, padding: 0 };
        assert_eq!((windows.places(), windows.output(4).len()), (None, 0));
    }
}
