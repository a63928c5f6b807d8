# Opening access to updates.
updates-title = Open your access to updates
updates-what = { $organization } gives you access to the updates of “{ $title }”.
updates-term = { $count ->
    [one] This access lasts one year from the day you open it.
   *[other] This access lasts { $count } years from the day you open it.
}
updates-would-be = Opened today, it would last until the end of { $date }.
updates-submit = Open my access
updates-later = Would you rather wait? Close this page: nothing begins without this button, and the link stays good.
updates-opened-title = Your access is open
updates-until = You have access to the updates of “{ $title }” until the end of { $date }.
updates-next = Continue
updates-over-title = This link no longer works
updates-over-text = Its time is over, another link was sent to you since, or this access was closed. To get a new link, ask the training body that sent it.
updates-not-now-title = This access cannot be opened yet
updates-not-now-text = Your account is not active with the training body that gives you this access. Nothing has begun: the link you received will work as soon as your account is open again. For any question, ask this training body.
