//! What is known of the edges: whether they can be reached, and whether they have a stream.
//!
//! An edge is asked before a viewer is sent to it. The answer is kept for a while, so that a crowd
//! costs one question.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::effect::Effect;

/// How long an answer holds.
const HOLDS: Duration = Duration::from_secs(10);
/// How long a consent by DESCRIBE holds: asking costs the edge more.
const CONSENT_HOLDS: Duration = Duration::from_secs(60);
/// How many questions are asked at a time. The others wait for their turn.
const AT_A_TIME: usize = 32;

/// What an edge is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Question {
    /// Does anybody listen at this URL's host and port?
    Connect(String),
    /// Does a DESCRIBE of this URL succeed?
    Describe(String),
}

/// What an edge answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EdgeAnswer {
    /// It is there, with the stream if that was asked.
    Yes,
    /// The server is there and says no, with this RTSP status.
    NoConsent(String),
    /// Nobody is there, for this reason.
    Unreachable(String),
}

/// The answers of the last seconds, and the questions that are on their way.
#[derive(Debug, Default)]
pub(crate) struct EdgeCache {
    known: HashMap<Question, (EdgeAnswer, Instant)>,
    asking: Vec<Question>,
    queue: VecDeque<Question>,
}

impl EdgeCache {
    /// The answer, if it is known and fresh.
    pub(crate) fn answer(&self, question: &Question, now: Instant) -> Option<&EdgeAnswer> {
        let (answer, until) = self.known.get(question)?;
        (now < *until).then_some(answer)
    }

    /// Asks, unless the question is on its way already.
    pub(crate) fn ask(&mut self, question: &Question, effects: &mut Vec<Effect>) {
        if self.asking.contains(question) || self.queue.contains(question) {
            return;
        }
        self.queue.push_back(question.clone());
        self.send(effects);
    }

    /// Keeps an answer, and asks the next question for which somebody still waits.
    pub(crate) fn learn(
        &mut self,
        question: Question,
        answer: EdgeAnswer,
        wanted: impl Fn(&Question) -> bool,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        let holds = match (&question, &answer) {
            (Question::Describe(_), EdgeAnswer::Yes) => CONSENT_HOLDS,
            _ => HOLDS,
        };
        self.asking.retain(|asked| *asked != question);
        self.known.retain(|_, (_, until)| now < *until);
        self.known.insert(question, (answer, now + holds));
        self.queue.retain(wanted);
        self.send(effects);
    }

    /// Whether this question is on its way.
    #[cfg(test)]
    pub(crate) fn is_asking(&self, question: &Question) -> bool {
        self.asking.contains(question)
    }

    fn send(&mut self, effects: &mut Vec<Effect>) {
        while self.asking.len() < AT_A_TIME
            && let Some(next) = self.queue.pop_front()
        {
            effects.push(Effect::AskEdge(next.clone()));
            self.asking.push(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(number: usize) -> Question {
        Question::Describe(format!("rtsp://dss2/{number}.sdp"))
    }

    #[test]
    fn a_crowd_asks_once_and_the_answer_holds_for_a_while() {
        let (mut cache, mut effects, now) = (EdgeCache::default(), Vec::new(), Instant::now());
        let there = Question::Connect("rtsp://dss2".into());
        (0..100).for_each(|_| cache.ask(&there, &mut effects));
        assert_eq!(effects.len(), 1);
        cache.learn(there.clone(), EdgeAnswer::Yes, |_| true, now, &mut effects);
        assert_eq!(cache.answer(&there, now), Some(&EdgeAnswer::Yes));
        assert_eq!(cache.answer(&there, now + HOLDS), None);
        cache.ask(&question(1), &mut effects);
        cache.learn(question(1), EdgeAnswer::Yes, |_| true, now, &mut effects);
        assert!(cache.answer(&question(1), now + HOLDS).is_some());
    }

    #[test]
    fn a_limited_number_of_questions_is_asked_at_a_time() {
        let (mut cache, mut effects, now) = (EdgeCache::default(), Vec::new(), Instant::now());
        (0..100).for_each(|number| cache.ask(&question(number), &mut effects));
        assert_eq!(effects.len(), AT_A_TIME);
        let unwanted = question(AT_A_TIME);
        let no = EdgeAnswer::Unreachable(String::new());
        cache.learn(question(0), no, |question| *question != unwanted, now, &mut effects);
        let Some(Effect::AskEdge(next)) = effects.last() else { panic!("nothing is asked") };
        assert_eq!((effects.len(), next), (AT_A_TIME + 1, &question(AT_A_TIME + 1)));
    }
}
