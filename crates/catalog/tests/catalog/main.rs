//! The public interface of the catalogue. One program, so that it is linked once.

#[cfg(test)]
mod again;
#[cfg(test)]
mod config;
#[cfg(test)]
mod config_properties;
#[cfg(test)]
mod cycles;
#[cfg(test)]
mod example;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod folder;
#[cfg(test)]
mod manual;
#[cfg(test)]
mod offers;
#[cfg(test)]
mod pulled;
#[cfg(test)]
mod replicas;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod sdp_cases;
#[cfg(test)]
mod sdp_properties;
#[cfg(test)]
mod world;
