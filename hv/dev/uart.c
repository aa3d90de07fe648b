/* SPDX-License-Identifier: BSD-2-Clause
 * The 16550A's registers, interrupt priorities, FIFOs and loop-back.
 * Knows nothing of baud rates: a byte is out, or looped back, the moment it is written. */
#include "dev/uart.h"

#include <string.h>

#include "bits.h"

#define IER_RDA BIT(0)
#define IER_THRE BIT(1)
#define IER_RLS BIT(2)
#define IER_MS BIT(3)
#define IER_WRITABLE ((uint8_t)MASK(3, 0))

/* Interrupt identification, highest priority first */
#define IIR_NONE BIT(0)
#define IIR_RLS ((uint8_t)FIELD(3, 1, 3))
#define IIR_RDA ((uint8_t)FIELD(3, 1, 2))
#define IIR_TIMEOUT ((uint8_t)FIELD(3, 1, 6))
#define IIR_THRE ((uint8_t)FIELD(3, 1, 1))
#define IIR_MS 0
#define IIR_FIFOS ((uint8_t)MASK(7, 6))

#define FCR_ENABLE BIT(0)
#define FCR_CLEAR_RX BIT(1)
#define FCR_DMA BIT(3)
#define FCR_TRIGGER(v) GET_FIELD(7, 6, v)
#define FCR_STORED ((uint8_t)(MASK(7, 6) | FCR_DMA | FCR_ENABLE))

#define LCR_DLAB BIT(7)
#define LCR_WORD_BITS(lcr) (5 + GET_FIELD(1, 0, lcr))
#define WORD_MASK(lcr) ((uint8_t)MASK(LCR_WORD_BITS(lcr) - 1, 0))

#define MCR_DTR BIT(0)
#define MCR_RTS BIT(1)
#define MCR_OUT1 BIT(2)
#define MCR_OUT2 BIT(3)
#define MCR_LOOP BIT(4)
#define MCR_WRITABLE ((uint8_t)MASK(4, 0))

#define LSR_DR BIT(0)
#define LSR_OE BIT(1)
#define LSR_THRE BIT(5)
#define LSR_TEMT BIT(6)

#define MSR_DCTS BIT(0)
#define MSR_DDSR BIT(1)
#define MSR_TERI BIT(2)
#define MSR_DDCD BIT(3)
#define MSR_CTS BIT(4)
#define MSR_DSR BIT(5)
#define MSR_RI BIT(6)
#define MSR_DCD BIT(7)
/* The peer that is always there. */
#define MSR_CONNECTED (MSR_CTS | MSR_DSR | MSR_DCD)

static bool fifos_enabled(const struct uart *u) { return u->fcr & FCR_ENABLE; }
static bool loops_back(const struct uart *u) { return u->mcr & MCR_LOOP; }
static bool dlab(const struct uart *u) { return u->lcr & LCR_DLAB; }

/* "Empty" promises room for a whole FIFO, which is what a driver sends without looking again. */
static bool thr_empty(const struct uart *u)
{
	return u->tx_count + ARRAY_SIZE(u->rx) <= UART_TX_FIFO;
}

void uart_reset(struct uart *u)
{
	memset(u, 0, sizeof(*u));
}

static unsigned rx_capacity(const struct uart *u)
{
	return fifos_enabled(u) ? ARRAY_SIZE(u->rx) : 1;
}

static unsigned rx_trigger(const struct uart *u)
{
	static const uint8_t levels[] = { 1, 4, 8, 14 };

	return fifos_enabled(u) ? levels[FCR_TRIGGER(u->fcr)] : 1;
}

/* PC16550D data sheet, "Line Status Register": without FIFOs an overrun means that the character in RBR "was not
 * read by the CPU before the next character was transferred into the RBR, thereby destroying the previous
 * character"; with them "the character in the shift register will be overwritten, but ... not transferred to the
 * FIFO". */
static void receive(struct uart *u, uint8_t byte)
{
	if (u->rx_count == rx_capacity(u)) {
		u->overrun = true;
		if (!fifos_enabled(u))
			u->rx[u->rx_head] = byte;
		return;
	}
	u->rx[(u->rx_head + u->rx_count) % ARRAY_SIZE(u->rx)] = byte;
	u->rx_count++;
}

static uint8_t read_rbr(struct uart *u)
{
	uint8_t byte = u->rx[u->rx_head];

	if (!u->rx_count)
		return 0;
	u->rx_head = (u->rx_head + 1) % ARRAY_SIZE(u->rx);
	u->rx_count--;
	return byte;
}

/* PC16550D data sheet, "Interrupt Control Functions": THRE is reset by "Writing into the Transmitter Holding Register". The
 * end of the transmission, which is now, sets it again: what looks at levels sees no difference, what looks at edges does. */
static void write_thr(struct uart *u, uint8_t byte)
{
	u->thre_pending = false;
	u->fell |= !uart_intr(u);
	if (loops_back(u))
		receive(u, byte & WORD_MASK(u->lcr));
	else if (u->tx_count < UART_TX_FIFO)
		u->tx[u->tx_count++] = (char)byte;
	u->thre_pending = thr_empty(u);
}

/* The state of the modem inputs, MSR bits 7:4. In loop-back mode "the four MODEM Control outputs (DTR, RTS, OUT 1, and
 * OUT 2) are internally connected to the four MODEM Control inputs". */
static uint8_t modem_inputs(const struct uart *u)
{
	if (!loops_back(u))
		return MSR_CONNECTED;
	return (u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) |
	       (u->mcr & MCR_OUT1 ? MSR_RI : 0) | (u->mcr & MCR_OUT2 ? MSR_DCD : 0);
}

/* "Trailing edge of ring indicator": RI counts only when it goes off, the others count both ways. */
static void write_mcr(struct uart *u, uint8_t val)
{
	uint8_t old = modem_inputs(u), changed;

	u->mcr = val & MCR_WRITABLE;
	changed = old ^ modem_inputs(u);
	u->msr_delta |= (changed & MSR_CTS ? MSR_DCTS : 0) | (changed & MSR_DSR ? MSR_DDSR : 0) |
			(changed & old & MSR_RI ? MSR_TERI : 0) | (changed & MSR_DCD ? MSR_DDCD : 0);
}

static uint8_t read_msr(struct uart *u)
{
	uint8_t val = modem_inputs(u) | u->msr_delta;

	u->msr_delta = 0;
	return val;
}

static uint8_t read_lsr(struct uart *u)
{
	uint8_t val = (u->rx_count ? LSR_DR : 0) | (u->overrun ? LSR_OE : 0) |
		      (thr_empty(u) ? LSR_THRE | LSR_TEMT : 0);

	u->overrun = false;
	return val;
}

/* Enabling the interrupt while THR is empty raises it: drivers start their transmission that way. */
static void write_ier(struct uart *u, uint8_t val)
{
	bool enabled = (val & IER_THRE) && !(u->ier & IER_THRE);

	u->ier = val & IER_WRITABLE;
	if (enabled && thr_empty(u))
		u->thre_pending = true;
}

/* PC16550D data sheet, "FIFO Control Register": bit 0 "must be a 1 when other FCR bits are written to or they will not
 * be programmed", and data is cleared "when changing from the FIFO Mode to 16450 Mode and vice versa". The transmitter
 * FIFO has nothing to clear. */
static void write_fcr(struct uart *u, uint8_t val)
{
	bool switched = (val ^ u->fcr) & FCR_ENABLE;

	if (switched || ((val & FCR_ENABLE) && (val & FCR_CLEAR_RX)))
		u->rx_head = u->rx_count = 0;
	u->fcr = val & FCR_ENABLE ? val & FCR_STORED : 0;
}

/* What has received less than the trigger level has no time to wait for: the time-out comes at once. */
static uint8_t rx_source(const struct uart *u)
{
	return u->rx_count >= rx_trigger(u) ? IIR_RDA : IIR_TIMEOUT;
}

/* PC16550D data sheet, "Interrupt Control Functions": receiver line status, received data available or time-out,
 * transmitter holding register empty, MODEM status. */
static uint8_t interrupt_source(const struct uart *u)
{
	if ((u->ier & IER_RLS) && u->overrun)
		return IIR_RLS;
	if ((u->ier & IER_RDA) && u->rx_count)
		return rx_source(u);
	if ((u->ier & IER_THRE) && u->thre_pending)
		return IIR_THRE;
	if ((u->ier & IER_MS) && u->msr_delta)
		return IIR_MS;
	return IIR_NONE;
}

/* "Reading the IIR Register (if source of interrupt)" resets the THRE interrupt, and no other. */
static uint8_t read_iir(struct uart *u)
{
	uint8_t source = interrupt_source(u);

	if (source == IIR_THRE)
		u->thre_pending = false;
	return source | (fifos_enabled(u) ? IIR_FIFOS : 0);
}

uint8_t uart_read(struct uart *u, unsigned reg)
{
	switch (reg) {
	case UART_THR: return dlab(u) ? u->dll : read_rbr(u);
	case UART_IER: return dlab(u) ? u->dlm : u->ier;
	case UART_IIR: return read_iir(u);
	case UART_LCR: return u->lcr;
	case UART_MCR: return u->mcr;
	case UART_LSR: return read_lsr(u);
	case UART_MSR: return read_msr(u);
	case UART_SCR: return u->scr;
	default: return 0;
	}
}

void uart_write(struct uart *u, unsigned reg, uint8_t val)
{
	switch (reg) {
	case UART_THR:
		if (dlab(u))
			u->dll = val;
		else
			write_thr(u, val);
		break;
	case UART_IER:
		if (dlab(u))
			u->dlm = val;
		else
			write_ier(u, val);
		break;
	case UART_FCR: write_fcr(u, val); break;
	case UART_LCR: u->lcr = val; break;
	case UART_MCR: write_mcr(u, val); break;
	case UART_SCR: u->scr = val; break;
	default: break; /* LSR is for factory tests, MSR is read-only */
	}
}

bool uart_intr(const struct uart *u)
{
	bool gate = (u->mcr & MCR_OUT2) && !loops_back(u);

	return gate && interrupt_source(u) != IIR_NONE;
}

bool uart_take_fall(struct uart *u)
{
	bool fell = u->fell;

	u->fell = false;
	return fell;
}

size_t uart_take(struct uart *u, char *buf, size_t len)
{
	size_t n = min_u64(len, u->tx_count);
	bool was_empty = thr_empty(u);

	memcpy(buf, u->tx, n);
	memmove(u->tx, u->tx + n, u->tx_count - n);
	u->tx_count -= n;
	if (!was_empty && thr_empty(u))
		u->thre_pending = true;
	return n;
}
