//! The plots of a report, as SVG.

use crate::failure::Failure;
use plotters::coord::combinators::IntoLogRange;
use plotters::prelude::*;
use std::fmt::Display;

const SIZE: (u32, u32) = (860, 420);
/// Height of a bar in a chart of steps, and of what surrounds the bars.
const BAR_HEIGHT: u32 = 18;
const FRAME_HEIGHT: u32 = 90;
/// Steps that are drawn; those that took least are left to the tables.
const MAX_BARS: usize = 40;

/// Points that belong together.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// What a step took, in seconds.
pub(super) struct Share {
    pub(super) name: String,
    pub(super) computing: f64,
    pub(super) waiting: f64,
}

fn failed<E: Display>(e: E) -> Failure {
    Failure::new(format!("cannot draw a plot: {e}"))
}

/// A range that holds all values and some room, for a logarithmic axis.
fn around(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let positive = values.filter(|&x| x > 0.0 && x.is_finite());
    let (low, high) = positive.fold((f64::INFINITY, 0.0f64), |(l, h), x| (l.min(x), h.max(x)));
    if low > high { 0.1..10.0 } else { low / 2.0..high * 2.0 }
}

/// Time against size, both logarithmic, a line for each series.
pub(super) fn time_by_size(series: &[Series]) -> Result<String, Failure> {
    logarithmic(series, "size", "seconds", true)
}

/// Rounds against bytes, both logarithmic.
pub(super) fn rounds_and_bytes(series: &[Series]) -> Result<String, Failure> {
    logarithmic(series, "bytes sent by a party", "rounds", false)
}

fn logarithmic(series: &[Series], x: &str, y: &str, lines: bool) -> Result<String, Failure> {
    let all = || series.iter().flat_map(|series| series.points.iter());
    let (xs, ys) = (around(all().map(|p| p.0)), around(all().map(|p| p.1)));
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(72)
            .build_cartesian_2d(xs.log_scale(), ys.log_scale())
            .map_err(failed)?;
        let number = |x: &f64| format!("{x:.0e}");
        chart
            .configure_mesh()
            .x_desc(x)
            .y_desc(y)
            .x_label_formatter(&number)
            .y_label_formatter(&number)
            .light_line_style(WHITE)
            .draw()
            .map_err(failed)?;
        for (at, series) in series.iter().enumerate() {
            let colour = Palette99::pick(at).to_rgba();
            if lines {
                let line = LineSeries::new(series.points.iter().copied(), colour.stroke_width(2));
                chart.draw_series(line).map_err(failed)?;
            }
            let dots = series.points.iter().map(|&point| Circle::new(point, 4, colour.filled()));
            let dots = chart.draw_series(dots).map_err(failed)?;
            dots.label(&series.name)
                .legend(move |(x, y)| Circle::new((x + 8, y), 4, colour.filled()));
        }
        chart
            .configure_series_labels()
            .border_style(BLACK.mix(0.3))
            .background_style(WHITE.mix(0.85))
            .draw()
            .map_err(failed)?;
        area.present().map_err(failed)?;
    }
    Ok(svg)
}

/// What steps took, as bars: computing and, after it, waiting.
pub(super) fn steps(shares: &[Share]) -> Result<String, Failure> {
    let took = |share: &&Share| share.computing + share.waiting;
    let mut bars: Vec<&Share> = shares.iter().collect();
    bars.sort_by(|a, b| took(b).total_cmp(&took(a)));
    bars.truncate(MAX_BARS);
    let longest = bars.first().map_or(0.0, took).max(1e-9);
    let count = bars.len();
    let height = FRAME_HEIGHT + BAR_HEIGHT * count as u32;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (SIZE.0, height)).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(220)
            .build_cartesian_2d(0.0..longest * 1.05e3, 0.0..count as f64)
            .map_err(failed)?;
        let name = |y: &f64| {
            let at = count.saturating_sub(1 + (*y as usize));
            bars.get(at).map(|share| share.name.clone()).unwrap_or_default()
        };
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_labels(count.max(1))
            .y_label_formatter(&name)
            .x_desc("milliseconds: computing, then waiting (light)")
            .draw()
            .map_err(failed)?;
        let parts = bars.iter().enumerate().flat_map(|(at, share)| {
            let (low, high) = ((count - at) as f64 - 0.9, (count - at) as f64 - 0.1);
            let computing = share.computing * 1e3;
            let end = computing + share.waiting * 1e3;
            [
                Rectangle::new([(0.0, low), (computing, high)], BLUE.mix(0.7).filled()),
                Rectangle::new([(computing, low), (end, high)], BLUE.mix(0.25).filled()),
            ]
        });
        chart.draw_series(parts).map_err(failed)?;
        area.present().map_err(failed)?;
    }
    Ok(svg)
}
