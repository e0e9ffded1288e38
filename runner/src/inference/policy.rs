//! Who may ask a kept model, and for what.

use crate::digest::Canonical;
use crate::identity::Name;
use nn::infer::Answer;
use nn::loss::Loss;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The section `[inference]` of a job: the model stays with the parties, for questions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InferencePolicy {
    /// Members who may ask; all of the consortium if none is listed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub members: BTreeSet<Name>,
    /// The most that is answered: `class`, the default, or `probabilities`, which allows for
    /// `class` as well. Of a label that is a number there are `numbers` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// Whether a training may start from the model, whose receiver is one who may ask: a model that
    /// was trained a little further is nearly the same, so this gives it away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fine_tune: bool,
}

impl InferencePolicy {
    /// Whether a member may ask.
    pub fn allows_member(&self, name: &Name) -> bool {
        self.members.is_empty() || self.members.contains(name)
    }

    /// Whether a training that this member starts, for this receiver, may start from the model.
    pub fn allows_training(&self, client: &Name, receiver: &Name) -> bool {
        self.fine_tune && self.allows_member(client) && self.allows_member(receiver)
    }

    /// The most that is answered by a model of this loss.
    pub fn most(&self, loss: Loss) -> Answer {
        self.answer.unwrap_or(match loss {
            Loss::MeanSquared | Loss::Huber(_) => Answer::Numbers,
            _ => Answer::Class,
        })
    }

    /// Whether a model of this loss may answer so.
    pub fn allows(&self, answer: Answer, loss: Loss) -> bool {
        let most = self.most(loss);
        answer.suits(loss) && (answer == most || most == Answer::Probabilities)
    }

    /// Refuses an answer that no model of this loss can give.
    ///
    /// # Errors
    /// What does not fit.
    pub fn validate(&self, loss: Loss) -> Result<(), String> {
        match self.answer {
            Some(answer) if !answer.suits(loss) => {
                Err(format!("inference.answer: a model of loss \"{loss}\" answers no {answer}"))
            }
            _ => Ok(()),
        }
    }

    /// Adds the section to a digest.
    pub fn append(&self, to: Canonical) -> Canonical {
        to.list(self.members.iter(), |to, member| to.text(member.as_str()))
            .text(self.answer.map_or("", Answer::name))
            .text(if self.fine_tune { "fine-tune" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(answer: Option<Answer>) -> InferencePolicy {
        InferencePolicy { answer, ..InferencePolicy::default() }
    }

    #[test]
    fn no_more_is_answered_than_the_job_says() {
        let loss = Loss::SoftmaxCrossEntropy;
        assert!(policy(None).allows(Answer::Class, loss));
        assert!(!policy(None).allows(Answer::Probabilities, loss));
        let all = policy(Some(Answer::Probabilities));
        assert!(all.allows(Answer::Class, loss) && all.allows(Answer::Probabilities, loss));
        assert!(!all.allows(Answer::Numbers, loss));
        assert!(policy(None).allows(Answer::Numbers, Loss::MeanSquared));
        assert!(!policy(None).allows(Answer::Class, Loss::MeanSquared));
    }

    #[test]
    fn an_answer_that_the_loss_does_not_give_is_refused() {
        assert!(policy(Some(Answer::Numbers)).validate(Loss::Logistic).is_err());
        assert!(policy(Some(Answer::Class)).validate(Loss::MeanSquared).is_err());
        assert!(policy(Some(Answer::Class)).validate(Loss::Logistic).is_ok());
        assert!(policy(None).validate(Loss::MeanSquared).is_ok());
    }

    #[test]
    fn who_is_not_listed_may_not_ask() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        assert!(policy(None).allows_member(&name("anyone")));
        let listed = InferencePolicy { members: [name("ward-a")].into(), ..policy(None) };
        assert!(listed.allows_member(&name("ward-a")) && !listed.allows_member(&name("ward-b")));
        let trains = |policy: &InferencePolicy, receiver: &str| {
            policy.allows_training(&name("ward-a"), &name(receiver))
        };
        assert!(!trains(&listed, "ward-a"), "only if the policy says so");
        let open = InferencePolicy { fine_tune: true, ..listed };
        assert!(trains(&open, "ward-a") && !trains(&open, "ward-b"));
    }
}
