//! WAV files: reading prompts, writing and repairing recordings.

use crate::error::MediaError;
use cp_vocab::media::Samples;

/// Length of the header we write.
pub const HEADER_LEN: usize = 44;
/// Longest prompt read, in seconds; longer files are refused.
const SECONDS_MAX: usize = 3_600;
/// Rates taken, in Hz.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const ALAW: u16 = 6;
const MULAW: u16 = 7;
const EXTENSIBLE: u16 = 0xfffe;

/// The header of a 16-bit PCM file that holds `data_len` bytes of samples.
pub fn header(channels: u16, rate_hz: u32, data_len: u32) -> [u8; HEADER_LEN] {
    let block = channels.saturating_mul(2);
    let mut h = [0u8; HEADER_LEN];
    h[0..4].copy_from_slice(b"RIFF");
    h[4..8].copy_from_slice(&data_len.saturating_add(36).to_le_bytes());
    h[8..16].copy_from_slice(b"WAVEfmt ");
    h[16..20].copy_from_slice(&16u32.to_le_bytes());
    h[20..22].copy_from_slice(&PCM.to_le_bytes());
    h[22..24].copy_from_slice(&channels.to_le_bytes());
    h[24..28].copy_from_slice(&rate_hz.to_le_bytes());
    h[28..32].copy_from_slice(&rate_hz.saturating_mul(u32::from(block)).to_le_bytes());
    h[32..34].copy_from_slice(&block.to_le_bytes());
    h[34..36].copy_from_slice(&16u16.to_le_bytes());
    h[36..40].copy_from_slice(b"data");
    h[40..44].copy_from_slice(&data_len.to_le_bytes());
    h
}

#[derive(Clone, Copy)]
struct Format {
    tag: u16,
    channels: usize,
    rate_hz: u32,
    bits: usize,
}

fn u16_at(b: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([b[at], b[at + 1]])
}
fn u32_at(b: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

/// Finds the format and the sample bytes; a data chunk that claims more than the file holds is cut.
fn chunks(bytes: &[u8]) -> Result<(Format, &[u8]), MediaError> {
    if bytes.len() < 12 || &bytes[0..4] != b"RIFF" || &bytes[8..12] != b"WAVE" {
        return Err(MediaError::Wav("no RIFF/WAVE header"));
    }
    let mut at = 12;
    let mut format = None;
    while at + 8 <= bytes.len() {
        let len = u32_at(bytes, at + 4) as usize;
        let body = &bytes[at + 8..];
        match &bytes[at..at + 4] {
            b"fmt " => {
                if len < 16 || body.len() < 16 {
                    return Err(MediaError::Wav("fmt chunk is too short"));
                }
                let mut tag = u16_at(body, 0);
                if tag == EXTENSIBLE && len >= 26 && body.len() >= 26 {
                    tag = u16_at(body, 24);
                }
                format = Some(Format {
                    tag,
                    channels: usize::from(u16_at(body, 2)),
                    rate_hz: u32_at(body, 4),
                    bits: usize::from(u16_at(body, 14)),
                });
            }
            b"data" => {
                let format = format.ok_or(MediaError::Wav("data before fmt"))?;
                return Ok((format, &body[..len.min(body.len())]));
            }
            _ => {}
        }
        // Chunks are padded to even length.
        let Some(next) = at.checked_add(8 + len + (len & 1)) else {
            break;
        };
        at = next;
    }
    Err(MediaError::Wav("no data chunk"))
}

/// Reads a prompt as mono samples (several channels are averaged): PCM of 8, 16, 24 or 32 bits, 32-bit
/// float, A-law and mu-law.
///
/// # Errors
/// [`MediaError::Wav`] for a file that is none, [`MediaError::WavFormat`] for one we do not take.
pub fn read(bytes: &[u8]) -> Result<Samples, MediaError> {
    let (format, data) = chunks(bytes)?;
    if !(1..=8).contains(&format.channels) {
        return Err(MediaError::WavFormat("number of channels"));
    }
    if !RATES.contains(&format.rate_hz) {
        return Err(MediaError::WavFormat("sample rate"));
    }
    let width = format.bits / 8;
    let one: fn(&[u8]) -> i32 = match (format.tag, format.bits) {
        (PCM, 8) => |b| (i32::from(b[0]) - 128) << 8,
        (PCM, 16) => |b| i32::from(i16::from_le_bytes([b[0], b[1]])),
        (PCM, 24) => |b| i32::from(i16::from_le_bytes([b[1], b[2]])),
        (PCM, 32) => |b| i32::from(i16::from_le_bytes([b[2], b[3]])),
        (FLOAT, 32) => |b| {
            let f = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            (f * 32_768.0).clamp(-32_768.0, 32_767.0) as i32
        },
        (ALAW, 8) => |b| i32::from(g711(true, b[0])),
        (MULAW, 8) => |b| i32::from(g711(false, b[0])),
        _ => return Err(MediaError::WavFormat("encoding")),
    };
    let block = width * format.channels;
    if data.len() / block > SECONDS_MAX * format.rate_hz as usize {
        return Err(MediaError::WavFormat("longer than an hour"));
    }
    let samples: Vec<i16> = data
        .chunks_exact(block)
        .map(|frame| {
            let sum: i32 = frame.chunks_exact(width).map(one).sum();
            (sum / format.channels as i32) as i16
        })
        .collect();
    if samples.is_empty() {
        return Err(MediaError::Wav("no samples"));
    }
    Ok(Samples {
        rate_hz: format.rate_hz,
        data: samples.into(),
    })
}

fn g711(alaw: bool, byte: u8) -> i16 {
    use audio_codec::Decoder as _;
    let mut out = [0i16];
    // One byte gives one sample; the call cannot fail.
    let _ = if alaw {
        audio_codec::pcma::PcmaDecoder::new().decode_into(&[byte], &mut out)
    } else {
        audio_codec::pcmu::PcmuDecoder::new().decode_into(&[byte], &mut out)
    };
    out[0]
}

/// Makes a recording that was cut anywhere whole again: sizes in the header as the bytes tell, a half
/// block at the end cut off. Returns `None` when there is not even a header of ours, and otherwise
/// the length the file is to be truncated to and the header to write at its start.
pub fn repair(bytes: &[u8]) -> Option<(usize, [u8; HEADER_LEN])> {
    let (len, header) = repair_file(bytes, bytes.len() as u64)?;
    Some((usize::try_from(len).ok()?, header))
}

/// As [`repair`], from the first bytes of a file and its length, so that it need not be read whole.
pub fn repair_file(head: &[u8], file_len: u64) -> Option<(u64, [u8; HEADER_LEN])> {
    if head.len() < HEADER_LEN || &head[0..4] != b"RIFF" || &head[36..40] != b"data" {
        return None;
    }
    let channels = u16_at(head, 22);
    let rate_hz = u32_at(head, 24);
    let block = u64::from(channels) * 2;
    if block == 0 || u64::from(u16_at(head, 32)) != block || !RATES.contains(&rate_hz) {
        return None;
    }
    let data = file_len.checked_sub(HEADER_LEN as u64)? / block * block;
    let header = header(channels, rate_hz, u32::try_from(data).ok()?);
    Some((HEADER_LEN as u64 + data, header))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(tag: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
        let mut h = header(channels, rate, data.len() as u32).to_vec();
        h[20..22].copy_from_slice(&tag.to_le_bytes());
        h[34..36].copy_from_slice(&bits.to_le_bytes());
        h.extend_from_slice(data);
        h
    }

    #[test]
    fn reads_what_others_write() {
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 22_050,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut w = hound::WavWriter::new(&mut bytes, spec).unwrap();
        for i in 0..1_000i16 {
            w.write_sample(i).unwrap();
            w.write_sample(-i / 2).unwrap();
        }
        w.finalize().unwrap();
        let s = read(&bytes.into_inner()).unwrap();
        assert_eq!((s.rate_hz, s.data.len()), (22_050, 1_000));
        assert_eq!(s.data[100], 25);
    }

    #[test]
    fn reads_every_encoding() {
        for (tag, bits, data, expected) in [
            (PCM, 8, vec![128, 255], vec![0, 32_512]),
            (PCM, 16, vec![1, 0, 0, 0x80], vec![1, -32_768]),
            (PCM, 24, vec![9, 1, 0], vec![1]),
            (PCM, 32, vec![9, 9, 1, 0], vec![1]),
            (FLOAT, 32, 0.5f32.to_le_bytes().to_vec(), vec![16_384]),
            (FLOAT, 32, f32::NAN.to_le_bytes().to_vec(), vec![0]),
            (MULAW, 8, vec![0xff, 0x00], vec![0, -32_124]),
            (ALAW, 8, vec![0xd5], vec![8]),
        ] {
            let s = read(&file(tag, 1, 8_000, bits, &data)).unwrap();
            assert_eq!(&s.data[..], &expected[..], "{tag} {bits}");
        }
    }

    #[test]
    fn refuses_what_is_no_prompt() {
        let good = file(PCM, 1, 8_000, 16, &[0; 320]);
        for (bytes, code) in [
            (vec![], "wav_malformed"),
            (b"RIFF....WAVE".to_vec(), "wav_malformed"),
            (good[..30].to_vec(), "wav_malformed"),
            (good[..44].to_vec(), "wav_malformed"),
            (file(PCM, 0, 8_000, 16, &[0; 320]), "wav_format"),
            (file(PCM, 99, 8_000, 16, &[0; 320]), "wav_format"),
            (file(PCM, 1, 0, 16, &[0; 320]), "wav_format"),
            (file(PCM, 1, 8_000, 12, &[0; 320]), "wav_format"),
            (file(0x55, 1, 8_000, 16, &[0; 320]), "wav_format"),
        ] {
            assert_eq!(read(&bytes).unwrap_err().code(), code, "{}", bytes.len());
        }
        // A file cut in its data still plays.
        assert_eq!(read(&good[..100]).unwrap().data.len(), 28);
    }

    proptest! {
        #[test]
        fn never_panics(cut in 0usize..400, flips in proptest::collection::vec((0usize..400, any::<u8>()), 0..8)) {
            let mut bytes = file(PCM, 2, 8_000, 16, &[7; 356]);
            for (at, v) in flips {
                bytes[at] = v;
            }
            let _ = read(&bytes[..cut]);
            let _ = repair(&bytes[..cut]);
        }

        #[test]
        fn a_cut_recording_is_whole_after_repair(cut in HEADER_LEN..2_000usize) {
            let mut bytes = header(2, 8_000, 0).to_vec();
            bytes.extend((0..2_000usize).map(|i| i as u8));
            bytes.truncate(cut);
            let (len, head) = repair(&bytes).unwrap();
            bytes.truncate(len);
            bytes[..HEADER_LEN].copy_from_slice(&head);
            let mut r = hound::WavReader::new(std::io::Cursor::new(&bytes)).unwrap();
            let samples: Vec<i16> = r.samples().map(|s| s.unwrap()).collect();
            prop_assert_eq!(samples.len(), (cut - HEADER_LEN) / 4 * 2);
        }
    }
}
