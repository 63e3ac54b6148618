/** What people write, and what anybody can look up or compute: none of it adds to what must be guessed. */

const words = (text: string): string[] => text.trim().split(/\s+/);

/** Of settings, samples, passwords and the sentences and names in them. Words of four letters and more. */
const WORDS = [
  ...words(`account acme admin asdf base64 battery bearer changeit changeme change cloud company correct credential
    customer database default demo deploy development dummy example foobar gateway hello here horse https insert
    internal letmein local localhost login long master manager operator password passwd paste pepper placeholder
    platform private prod production public qwerty random redis replace root salt sample secret secure security
    server service sesame signin staging staple start super support system temp tenant test token user username value
    webhook welcome worker your zxcv babe beef cafe dead face feed live
    three four five seven eight nine`),
  ...words(`spring summer autumn winter january february march april june july august september october november
    december monday tuesday wednesday thursday friday saturday sunday`),
  ...words(`football baseball basketball soccer hockey tennis dragon monkey tiger lion eagle bear wolf shark dolphin
    falcon phoenix panda bunny kitty puppy chicken turtle batman superman spiderman starwars pokemon naruto minecraft
    princess sunshine shadow flower freedom iloveyou lovely love angel cookie cheese chocolate coffee banana orange
    apple cherry ginger pepper purple yellow silver golden diamond computer internet network samsung google amazon
    openai claude anthropic bedrock mustang ferrari porsche yankees cowboys lakers arsenal liverpool chelsea trustno
    whatever nothing jesus blessed killer hunter ranger soldier warrior ninja hacker matrix`),
  ...words(`james john robert michael mike william david richard joseph thomas charles daniel matthew anthony mark steven
    andrew joshua kevin brian george edward jason jeffrey ryan jacob nicholas jonathan justin alexander mary patricia
    jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy betty margaret sandra ashley emily michelle
    amanda melissa deborah stephanie rebecca laura sharon anna maria peter paul martin smith johnson williams brown
    jones garcia miller davis wilson anderson taylor moore jackson thompson white harris clark lewis robinson walker`),
  ...words(`volleyball handball cricket rugby boxing cycling running swimming london paris berlin madrid boston chicago
    dallas denver houston seattle austin tokyo sydney moscow dublin vienna munich america england france germany canada
    india china japan russia brazil mexico italy spain australia europe africa pineapple mango strawberry blueberry
    raspberry peach lemon tomato potato carrot onion garlic pizza pasta burger sandwich chicken cheese butter sugar
    honey vanilla cinnamon giraffe elephant zebra kangaroo rabbit hamster squirrel penguin octopus butterfly spider
    scorpion crocodile leopard cheetah buffalo donkey horse sheep goat mouse snake parrot pigeon umbrella window door
    table chair kitchen garden house castle bridge street mountain river ocean forest island desert beach water fire
    earth wind thunder lightning storm rain snow winter rainbow galaxy planet rocket saturn jupiter venus mercury
    pluto neptune uranus guitar piano violin trumpet music dance movie camera picture pencil paper letter number school
    teacher student doctor police lawyer engineer developer programmer president queen king prince wizard magic dragon
    knight sword shield hammer arrow pirate ship train plane bicycle truck happy lucky crazy funny sweet pretty little
    great super awesome strong brave fast quick black blue green grey pink violet crimson scarlet copper bronze steel
    iron metal stone glass wood plastic family mother father sister brother friend forever together always never
    birthday christmas halloween easter holiday vacation weekend today tomorrow yesterday morning evening night`),
  ...words(`about after again because before could every first from have into just know like make most much must never
    only other over quick jumps lazy should some than that their them then there these they thing this time very want
    were what when where which will with would`),
];
/** So short that random text holds them: they count among other words alone. */
export const SHORT_WORDS =
  words(`the and for you are not api key dog fox cat abc env dev my is to of in on it foo bar one two six ten jan feb mar
    apr may jun jul aug sep oct nov dec mon tue wed thu fri sat sun`);

const anyOf = (several: readonly string[]): RegExp =>
  new RegExp([...several].toSorted((one, other) => other.length - one.length).join('|'), 'g');

/** Random text does not hold one. */
export const LONG_WORD = anyOf(WORDS.filter((word) => word.length > 4));
/** Random text holds one now and then. */
export const FOUR_LETTERS = anyOf(WORDS.filter((word) => word.length === 4));

/** AWS marks the credentials in its documents so (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html). */
export const DOCUMENTED = /EXAMPLE/;

const upTo = (count: number, at: (index: number) => number): string =>
  Array.from({ length: count }, (_, index) => at(index)).join('');

const fibonacci = (count: number): string => {
  const row = [1, 1];
  while (row.length < count) row.push((row.at(-1) ?? 0) + (row.at(-2) ?? 0));
  return row.join('');
};

/** Digits in the order in which everybody finds them. */
export const KNOWN_ROWS = [
  // π, e, √2 and the golden ratio, in decimal, and π as it begins Blowfish's tables.
  '3141592653589793238462643383279502884197169399375105820974944592307816406286',
  '2718281828459045235360287471352662497757247093699959574966967627724076630353',
  '1414213562373095048801688724209698078569671875376948073176679737990732478462',
  '1618033988749894848204586834365638117720309179805762862135448622705260462818',
  '243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89',
  upTo(60, (index) => index),
  upTo(40, (index) => index ** 2),
  upTo(24, (index) => index ** 3),
  upTo(24, (index) => 2 ** index),
  fibonacci(24),
  // The sample keys of FIPS 197 (https://nvlpubs.nist.gov/nistpubs/FIPS/NIST.FIPS.197-upd1.pdf, appendix A).
  '2b7e151628aed2a6abf7158809cf4f3c',
  '8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b',
  '603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4',
  '2357111317192329313741434753596167717379838997',
];

/** Of which a digest passes for a random secret. */
export const DIGESTED = [
  ...WORDS,
  ...SHORT_WORDS,
  ...[
    '',
    '123456',
    '12345678',
    '123456789',
    '1234567890',
    'helloworld',
    'hello world',
    'hello, world',
    'hello, world!',
  ],
  ...['Hello, World!', 'supersecret', 'mysecret', 'my secret', 'my-secret', 'secret key', 'secretkey', 'secret-key'],
  ...['the quick brown fox jumps over the lazy dog', 'The quick brown fox jumps over the lazy dog', 'adminadmin'],
];
