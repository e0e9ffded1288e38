//! How good predictions are, computed in the clear on a test set.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// The column of the largest value of each row, the first of equals.
pub fn argmax(values: &Array2<f64>) -> Vec<usize> {
    let larger = |best: usize, row: &ndarray::ArrayView1<'_, f64>, column: usize| {
        if row[column] > row[best] { column } else { best }
    };
    let of_row = |row: ndarray::ArrayView1<'_, f64>| {
        (1..row.len()).fold(0, |best, column| larger(best, &row, column))
    };
    values.rows().into_iter().map(of_row).collect()
}

/// Figures of merit of a classifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    /// Rows whose class was predicted, by all rows.
    pub accuracy: f64,
    /// Mean over classes of: rows rightly predicted as the class, by rows predicted as it.
    pub precision: f64,
    /// Mean over classes of: rows rightly predicted as the class, by rows of it.
    pub recall: f64,
    /// Mean over classes of the harmonic mean of precision and recall.
    pub f1: f64,
    /// Mean of `-log` of the probability given to the true class.
    pub log_loss: f64,
    /// Area under the ROC curve, of two classes of which both occur.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auc: Option<f64>,
    /// `confusion[true class][predicted class]`, in rows.
    pub confusion: Vec<Vec<usize>>,
}

impl Classification {
    /// Compares probabilities, one column a class, with the true class of each row.
    ///
    /// As is usual, a class that occurs neither in the truth nor among the predictions is
    /// left out of the means, and a ratio by zero counts as zero.
    ///
    /// # Panics
    /// Where the number of rows differs, or a true class has no column.
    pub fn new(truth: &[usize], probabilities: &Array2<f64>) -> Self {
        assert_eq!(truth.len(), probabilities.nrows(), "one true class a row");
        let classes = probabilities.ncols();
        let mut confusion = vec![vec![0; classes]; classes];
        let mut log_loss = 0.0;
        for ((&class, predicted), row) in
            truth.iter().zip(argmax(probabilities)).zip(probabilities.rows())
        {
            confusion[class][predicted] += 1;
            log_loss -= row[class].max(f64::EPSILON).ln();
        }
        let rows = truth.len() as f64;
        let of_class: Vec<ClassFigures> =
            (0..classes).filter_map(|class| ClassFigures::of(&confusion, class)).collect();
        let mean = |figure: fn(&ClassFigures) -> f64| {
            of_class.iter().map(figure).sum::<f64>() / of_class.len() as f64
        };
        let right: usize = (0..classes).map(|class| confusion[class][class]).sum();
        Classification {
            accuracy: right as f64 / rows,
            precision: mean(|figures| figures.precision),
            recall: mean(|figures| figures.recall),
            f1: mean(|figures| figures.f1),
            log_loss: log_loss / rows,
            auc: (classes == 2).then(|| auc(truth, &probabilities.column(1).to_vec())).flatten(),
            confusion,
        }
    }
}

/// The part of the pairs of a row of class 1 and one of class 0 in which the first has the
/// higher score, equal scores counting half: the area under the ROC curve. None where a class
/// does not occur.
fn auc(truth: &[usize], scores: &[f64]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let ones = truth.iter().filter(|&&class| class == 1).count();
    let zeros = truth.len() - ones;
    // The sum of the ranks of class 1, where equal scores share their mean rank.
    let mut ranks = 0.0;
    let mut below = 0;
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let of_one = tied.iter().filter(|&&row| truth[row] == 1).count();
        ranks += of_one as f64 * (below as f64 + (tied.len() as f64 + 1.0) / 2.0);
        below += tied.len();
    }
    let (ones, zeros) = (ones as f64, zeros as f64);
    (ones > 0.0 && zeros > 0.0).then(|| (ranks - ones * (ones + 1.0) / 2.0) / (ones * zeros))
}

/// The figures of one class.
struct ClassFigures {
    precision: f64,
    recall: f64,
    f1: f64,
}

impl ClassFigures {
    /// None where the class occurs nowhere.
    fn of(confusion: &[Vec<usize>], class: usize) -> Option<Self> {
        let right = confusion[class][class];
        let truly: usize = confusion[class].iter().sum();
        let predicted: usize = confusion.iter().map(|row| row[class]).sum();
        (truly + predicted > 0).then(|| ClassFigures {
            precision: ratio(right, predicted),
            recall: ratio(right, truly),
            f1: ratio(2 * right, truly + predicted),
        })
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Figures of merit of a regression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regression {
    /// Mean of the squared error.
    pub mean_squared_error: f64,
    /// The part of the variance that is explained: 1 is perfect, 0 as good as the mean.
    pub r2: f64,
}

impl Regression {
    /// Compares predictions with the truth, over all rows and columns.
    ///
    /// # Panics
    /// Where the shapes differ.
    pub fn new(truth: &Array2<f64>, predictions: &Array2<f64>) -> Self {
        assert_eq!(truth.dim(), predictions.dim(), "one prediction for each number");
        let residual = (truth - predictions).mapv(|error| error * error).sum();
        let mean = truth.mean_axis(ndarray::Axis(0)).unwrap_or_default();
        let total = (truth - &mean).mapv(|error| error * error).sum();
        Regression {
            mean_squared_error: residual / truth.len() as f64,
            r2: if total > 0.0 { 1.0 - residual / total } else { 0.0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    #[test]
    fn a_small_table_by_hand() {
        let truth = [0, 0, 0, 1, 1, 2];
        let probabilities = array![
            [0.5, 0.25, 0.25, 0.0],
            [0.8, 0.1, 0.1, 0.0],
            [0.2, 0.6, 0.2, 0.0],
            [0.1, 0.9, 0.0, 0.0],
            [0.4, 0.3, 0.3, 0.0],
            [0.3, 0.4, 0.3, 0.0],
        ];
        let figures = Classification::new(&truth, &probabilities);
        assert_eq!(
            figures.confusion,
            [[2, 1, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]].map(|row| row.to_vec())
        );
        close(figures.accuracy, 0.5);
        // Class 3 occurs nowhere and is left out; class 2 is never predicted and counts as 0.
        close(figures.precision, (2.0 / 3.0 + 1.0 / 3.0 + 0.0) / 3.0);
        close(figures.recall, (2.0 / 3.0 + 1.0 / 2.0 + 0.0) / 3.0);
        close(figures.f1, (2.0 / 3.0 + 2.0 / 5.0 + 0.0) / 3.0);
        let logs = [0.5, 0.8, 0.2, 0.9, 0.3, 0.3].map(f64::ln);
        close(figures.log_loss, -logs.iter().sum::<f64>() / 6.0);
    }

    #[test]
    fn the_area_under_the_curve_counts_pairs() {
        // Of the pairs (1, 0): .9 > .1, .9 > .5, .5 > .1 and .5 = .5.
        assert_eq!(auc(&[0, 1, 0, 1], &[0.1, 0.9, 0.5, 0.5]), Some(3.5 / 4.0));
        assert_eq!(auc(&[1, 0], &[0.1, 0.9]), Some(0.0));
        assert_eq!(auc(&[1, 1], &[0.1, 0.9]), None);
        let figures = Classification::new(&[0, 1], &array![[0.8, 0.2], [0.4, 0.6]]);
        assert_eq!(figures.auc, Some(1.0));
    }

    #[test]
    fn an_impossible_truth_costs_much_but_not_infinity() {
        let figures = Classification::new(&[1], &array![[1.0, 0.0]]);
        assert!(figures.log_loss > 30.0 && figures.log_loss.is_finite());
        assert_eq!(figures.accuracy, 0.0);
    }

    #[test]
    fn regression_by_hand() {
        let figures = Regression::new(&array![[1.0], [2.0], [3.0]], &array![[1.0], [2.5], [3.0]]);
        close(figures.mean_squared_error, 0.25 / 3.0);
        close(figures.r2, 1.0 - 0.25 / 2.0);
        let constant = Regression::new(&array![[1.0], [1.0]], &array![[1.0], [2.0]]);
        assert_eq!(constant.r2, 0.0);
    }
}
