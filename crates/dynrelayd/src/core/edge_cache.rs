//! The edges' recent answers: whether they can be reached, and whether they have a stream.
//!
//! The daemon asks an edge before it sends a viewer there. It caches the answer, so that many
//! viewers cost one question.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::effect::Effect;
use super::input::{EdgeAnswer, Question};

/// The time for which an answer is cached.
const HOLDS: Duration = Duration::from_secs(10);
/// The time for which a consent by DESCRIBE is cached. It is longer, because the question costs the
/// edge more.
const CONSENT_HOLDS: Duration = Duration::from_secs(60);
/// The most questions at a time. Further ones wait for their turn.
const AT_A_TIME: usize = 32;

/// The cached answers, and the questions under way.
#[derive(Debug, Default)]
pub(crate) struct EdgeCache {
    known: HashMap<Question, (EdgeAnswer, Instant)>,
    asking: Vec<Question>,
    queue: VecDeque<Question>,
}

impl EdgeCache {
    /// The cached answer, if there is one.
    pub(crate) fn answer(&self, question: &Question, now: Instant) -> Option<&EdgeAnswer> {
        let (answer, until) = self.known.get(question)?;
        (now < *until).then_some(answer)
    }

    /// Asks, unless the question is under way.
    pub(crate) fn ask(&mut self, question: &Question, effects: &mut Vec<Effect>) {
        if self.asking.contains(question) || self.queue.contains(question) {
            return;
        }
        self.queue.push_back(question.clone());
        self.send(effects);
    }

    /// Caches an answer, and asks the next waiting question.
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

    /// Whether this question is under way.
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
